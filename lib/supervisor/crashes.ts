/**
 * When a worker that has crashed is started again, and when none is any more: five crashes within a minute,
 * of whichever workers, are no accident.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";

const MOST = 5;
const WITHIN_MS = 60_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

export class Crashes {
  readonly #clock: Clock;
  /** The latest, oldest first; a few at most. */
  #recent: { readonly worker: number; readonly at: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A worker has crashed. Returns the milliseconds after which it is started again, twice as many for each of
   * its crashes within the last minute; undefined: that was one too many.
   */
  crashed(worker: number): number | undefined {
    const now = this.#clock.monotonic();
    this.#recent = [...this.#recent.filter(({ at }) => now - at < WITHIN_MS), { worker, at: now }];
    if (this.#recent.length >= MOST) return undefined;
    const own = this.#recent.filter((crash) => crash.worker === worker).length;
    return Math.min(FIRST_WAIT_MS * 2 ** (own - 1), LONGEST_WAIT_MS);
  }
}
