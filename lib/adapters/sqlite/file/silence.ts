/**
 * How long others on one file have not been heard of. What they write down is wall time, because they share
 * no other, and a wall clock may be set: by a month forward everybody would seem to be silent, by a month
 * back nobody ever would. So a process that is known to live is believed silent only where the wall clock has
 * run evenly for as long, by the clock of this process that nobody sets; the living write their signs several
 * times within that (D25).
 *
 * @module
 */
import { type Clock, type Moment, momentOf } from "../../../async/clock.ts";

/** More than clocks differ by that are kept in step, in ms. */
const UNEVEN_MS = 1_000;

export class Silence {
  readonly #clock: Clock;
  #seen: Moment;
  /** Since when the wall clock has run evenly, on the monotonic scale. */
  #evenSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#seen = momentOf(clock);
    this.#evenSince = this.#seen.monotonic;
  }

  /**
   * Nobody could write for a while: the silence of that time tells nothing, and the living may be heard
   * first.
   */
  wasForced(): void {
    this.#evenSince = this.#clock.monotonic();
  }

  /** A look at the clocks now. */
  look(): Look {
    const before = this.#seen;
    const seen = this.#seen = momentOf(this.#clock);
    const wall = seen.now - before.now;
    const monotonic = seen.monotonic - before.monotonic;
    if (Math.abs(wall - monotonic) > UNEVEN_MS) this.#evenSince = seen.monotonic;
    return new Look(seen.now, seen.monotonic - this.#evenSince);
  }
}

/** One moment, at which signs of life are judged. */
export class Look {
  /** `now`: epoch ms; `evenMs`: how long the wall clock has run evenly. */
  constructor(readonly now: number, private readonly evenMs: number) {}

  /** Whether the wall clock can be believed about so many ms. */
  isEven(ms: number): boolean {
    return this.evenMs >= ms;
  }

  /** Signs at this wall time or earlier are `ms` old. */
  olderThan(ms: number): number {
    return this.now - ms;
  }

  /**
   * Signs after this wall time were written before the clock was set back, and nothing has come since for
   * `ms`; `Infinity` where nobody can say so.
   */
  setBackBeyond(ms: number): number {
    return this.isEven(ms) ? this.now + UNEVEN_MS : Infinity;
  }

  /** Whether nothing was heard for `ms` of one whose last sign was at `at`, epoch ms. */
  isSilent(at: number, ms: number, vitality: Vitality): boolean {
    if (vitality === "dead") return true;
    if (vitality === "alive" && !this.isEven(ms)) return false;
    return at <= this.olderThan(ms) || at > this.setBackBeyond(ms);
  }
}

/** What is known of a process: `unknown` leaves it to how long it was not heard of. */
export type Vitality = "alive" | "dead" | "unknown";
