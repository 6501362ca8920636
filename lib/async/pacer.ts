/**
 * Work at a steady rate.
 *
 * @module
 */
import { type Clock, sleep } from "./clock.ts";

/** How far a slow stretch is made up for by a burst. */
const BURST_MS = 1_000;

/**
 * Waits until the next piece of work may begin: the n-th begins no sooner than (n - 1) / `perSecond` seconds
 * after the first. Undefined: at once. Does not wait any longer once `signal` aborts.
 */
export function pacer(
  clock: Clock,
  perSecond: number | undefined,
  signal?: AbortSignal,
): () => Promise<void> {
  let next = clock.monotonic();
  return async () => {
    if (perSecond === undefined) return;
    const wait = next - clock.monotonic();
    if (wait > 0) await sleep(clock, wait, signal);
    next = Math.max(next, clock.monotonic() - BURST_MS) + 1_000 / perSecond;
  };
}
