/**
 * How long to wait before the next try.
 *
 * @module
 */

/** Between 0 and 1, as `Math.random`. Injected so that tests know it. */
export type Random = () => number;

/**
 * Delay in milliseconds before attempt `attempt + 1` (delivery 3): the base doubled for every failed attempt,
 * capped, times 0.75 to 1.25. A base of 0 stays 0.
 */
export function retryDelay(attempt: number, baseSeconds: number, maxSeconds: number, random: Random): number {
  if (baseSeconds <= 0) return 0;
  const seconds = Math.min(baseSeconds * 2 ** Math.max(0, attempt - 1), maxSeconds);
  return seconds * 1000 * (0.75 + 0.5 * random());
}

/**
 * Delay in milliseconds before reconnect `attempt` (counted from 1): full jitter, 100 ms to 5 s (PIPE-11), or
 * to `mostMs`.
 */
export function reconnectDelay(attempt: number, random: Random, mostMs = 5000): number {
  const ceiling = Math.min(mostMs, 100 * 2 ** Math.min(attempt, 10));
  return 100 + random() * (ceiling - 100);
}

/**
 * Delay in milliseconds before a loop asks a backend again, attempt counted from 1: full jitter, 100 ms to 1 s.
 * Whoever opens connections waits by itself; what comes on top of that is the time in which the backend is
 * there again and nothing is done.
 */
export function loopDelay(attempt: number, random: Random): number {
  return reconnectDelay(attempt, random, 1000);
}
