/**
 * Work that is done again and again.
 *
 * @module
 */
import { type Clock, sleep } from "./clock.ts";

/**
 * Waits of a process that may end a little sooner end together: to wake up costs more (0.2 ms of a core) than
 * most of what is done then. At the most this long, and a quarter of the wait.
 */
const TOGETHER_MS = 250;
/** A timer may be so much early; the next wait is not shorter for it. */
const EARLY_MS = 1.5;

/**
 * `ms`, or up to a quarter and at most 250 ms less: a wait that ends at a moment at which those of others end
 * as well. For what is done every so often, not for what must not be done before its time.
 */
export function together(clock: Clock, ms: number): number {
  const grid = Math.min(TOGETHER_MS, ms / 4);
  if (!(grid >= 1)) return ms;
  const now = clock.monotonic();
  return Math.floor((now + ms + EARLY_MS) / grid) * grid - now;
}

/**
 * Calls `work` with 1, 2, … at most `ms` after its last call has ended (`together`), until `signal` aborts.
 * Rejects when `work` does.
 */
export async function every(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (pass: number) => Promise<void>,
): Promise<void> {
  for (let pass = 1; !signal.aborted; pass++) {
    await sleep(clock, together(clock, ms), signal);
    if (!signal.aborted) await work(pass);
  }
}
