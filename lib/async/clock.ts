/**
 * Time, injected. Everything that waits or reads the clock takes a `Clock`, so that tests move time themselves.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Source of time and timers. */
export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only ever grow; for durations. */
  monotonic(): number;
  /** Calls `callback` once after `ms`; the returned function cancels it and may be called any number of times. */
  after(ms: number, callback: () => void): () => void;
}

/** The longest wait of the machine's timers, about 25 days: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const end = performance.now() + ms;
    const wait = (rest: number) => {
      timer = rest > LONGEST_TIMER_MS
        ? setTimeout(() => wait(end - performance.now()), LONGEST_TIMER_MS)
        : setTimeout(callback, rest);
    };
    let timer: ReturnType<typeof setTimeout>;
    wait(ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Waits `ms` on `clock`. Resolves early, without an error, when `signal` aborts: loops test their signal themselves.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * A clock that tests move by hand: `await clock.advance(1000)` fires every timer due in that span, in order, letting
 * promise callbacks run between them.
 */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();
  #next = 1;

  constructor(start = Date.UTC(2026, 0, 1)) {
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
    return () => {
      this.#timers.delete(key);
    };
  }

  /** Timers waiting, for tests that assert none is left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms`. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (true) {
      const due = [...this.#timers].filter(([, timer]) =>
        timer.at <= end
      ).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
      if (!due) {
        break;
      }
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets every promise callback that is ready run: a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
