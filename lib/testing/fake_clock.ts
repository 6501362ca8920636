/**
 * Time that tests move by hand.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../async/clock.ts";

/** Turns of the event loop in which nobody sets or clears a timer, after which nobody is at work any more. */
const QUIET_TURNS = 5;
/** Whoever is not quiet by then sets timers for ever, and is left to it. */
const MOST_TURNS = 10_000;

/**
 * A clock that tests move by hand: `await clock.advance(1000)` fires every timer due in that span, in order,
 * and lets everything that is runnable run between them.
 *
 * @example
 * ```ts
 * const clock = new FakeClock();
 * const waiting = sleep(clock, 30_000);
 * await clock.advance(30_000);
 * await waiting;
 * ```
 */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Map<number, { readonly at: number; readonly callback: () => void }>();
  #next = 1;
  /** Timers set and cleared so far: as long as it grows, somebody is at work. */
  #stirred = 0;

  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const key = this.#next++;
    this.#timers.set(key, { at: this.#now + Math.max(0, ms), callback });
    this.#stirred++;
    return () => {
      if (this.#timers.delete(key)) this.#stirred++;
    };
  }

  /** Timers waiting, for tests that assert none is left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms`. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    for (let due = this.#dueBy(end); due; due = this.#dueBy(end)) {
      const [key, { at, callback }] = due;
      this.#timers.delete(key);
      this.#now = Math.max(this.#now, at);
      callback();
      await this.#settle();
    }
    this.#now = end;
  }

  #dueBy(end: number) {
    return [...this.#timers].filter(([, { at }]) => at <= end).sort(([a, x], [b, y]) =>
      x.at - y.at || a - b
    )[0];
  }

  /** Turns the event loop until nothing has stirred for a while. */
  async #settle(): Promise<void> {
    let stirred = this.#stirred;
    for (let turn = 0, quiet = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      quiet = stirred === this.#stirred ? quiet + 1 : 0;
      stirred = this.#stirred;
    }
  }
}
