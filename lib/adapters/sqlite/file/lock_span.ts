/**
 * For how long another process has kept a SQLite file locked: one span for everybody in this process who
 * waits for it, so that ten who come one after the other do not wait ten times as long, and readiness knows.
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";

/** A lock that nobody met for so long, in ms, was another one. */
const FORGOTTEN_MS = 10_000;

export class LockSpan {
  readonly #clock: Clock;
  /** Monotonic, as `#seen`: the first time that it was met, and the last. */
  #since = 0;
  #seen = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The file is locked now. */
  met(): void {
    const now = this.#clock.monotonic();
    if (now - this.#seen > FORGOTTEN_MS) this.#since = now;
    this.#seen = now;
  }

  /** It is not; returns for how long it was, in ms. */
  ended(): number {
    const { ms } = this;
    this.#seen = -Infinity;
    return ms;
  }

  /** For how long it has been locked, in ms; 0 where it is not, as far as is known. */
  get ms(): number {
    const now = this.#clock.monotonic();
    return now - this.#seen > FORGOTTEN_MS ? 0 : now - this.#since;
  }
}
