/**
 * How late timers are: what a handler that computes for long does to everything else in this process.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";

const EVERY_MS = 500;

export class LoopDelay {
  readonly #clock: Clock;
  #longest: number | undefined;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#next();
  }

  /** The longest delay since the last call, in milliseconds; undefined: no timer was due since. */
  take(): number | undefined {
    const longest = this.#longest;
    this.#longest = undefined;
    return longest;
  }

  stop(): void {
    this.#cancel();
  }

  #next(): void {
    const due = this.#clock.monotonic() + EVERY_MS;
    this.#cancel = this.#clock.after(EVERY_MS, () => {
      const late = Math.max(0, this.#clock.monotonic() - due);
      this.#longest = Math.max(this.#longest ?? 0, late);
      this.#next();
    });
  }
}
