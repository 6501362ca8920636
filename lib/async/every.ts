/**
 * Work that is done again and again.
 *
 * @module
 */
import { type Clock, sleep } from "./clock.ts";

/**
 * Calls `work` with 1, 2, … `ms` after its last call has ended, until `signal` aborts. Rejects when `work`
 * does.
 */
export async function every(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (pass: number) => Promise<void>,
): Promise<void> {
  for (let pass = 1; !signal.aborted; pass++) {
    await sleep(clock, ms, signal);
    if (!signal.aborted) await work(pass);
  }
}
