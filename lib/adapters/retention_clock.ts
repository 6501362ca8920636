/**
 * Time for retention where one machine has the only clock (D9). It may be put forward by a month, by mistake
 * or because it was wrong before, and everything would be past its retention at once. So retention counts
 * from the last thing that was written, and goes on with the time that really passes: what was written before
 * a stop or a step is kept longer, never shorter.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";

const log = getLogger(["protean", "maintenance"]);

/** Less is what clocks are corrected by every day. */
const STEP_MS = 60_000;

export class RetentionClock {
  readonly #clock: Clock;
  /** Names the database in the log. */
  readonly #name: string;
  /** Both at the same moment: the time from which on it counts, and the clock's monotonic scale. */
  #base: { readonly at: number; readonly monotonic: number };
  /** The latest time that was written. */
  #newest = -Infinity;
  #told = false;

  constructor(clock: Clock, name: string) {
    this.#clock = clock;
    this.#name = name;
    this.#base = { at: clock.now(), monotonic: clock.monotonic() };
  }

  /**
   * To be called once, before anything is written: epoch ms of the last thing that was. Undefined: nothing.
   */
  startsAfter(newest: number | undefined): void {
    const now = this.#clock.now();
    this.#newest = newest ?? -Infinity;
    this.#base = { at: Math.min(now, newest ?? now), monotonic: this.#clock.monotonic() };
  }

  /** Epoch ms to write on what is kept for a time; never earlier than on what came before. */
  stamp(): number {
    return this.#newest = Math.max(this.#newest, this.#clock.now());
  }

  /**
   * The time before which rows may go where `before` is asked for, both epoch ms: never later. `oldest` tells
   * the time of the oldest row, to know whether it makes a difference, which is said once.
   */
  cutOff(before: number, oldest: () => number | undefined): number {
    const { at, monotonic } = this.#base;
    const held = this.#clock.now() - (at + this.#clock.monotonic() - monotonic);
    if (held < STEP_MS) return before;
    const cutOff = before - held;
    const first = this.#told ? undefined : oldest();
    if (first !== undefined && first < before) {
      this.#told = true;
      log.warn("maintenance.clock_stepped", {
        database: this.#name,
        seconds: Math.round(held / 1000),
        hint:
          "The clock went on by so much while nothing was written: what is kept for a time is kept that much longer.",
      });
    }
    return cutOff;
  }
}
