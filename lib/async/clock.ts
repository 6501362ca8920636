/**
 * Time, injected. Everything that waits or reads the clock takes a `Clock`, so that tests move time
 * themselves.
 *
 * @module
 */

/** Source of time and timers. */
export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that only ever grow; for durations. */
  monotonic(): number;
  /**
   * Calls `callback` once after `ms`; the returned function cancels it and may be called any number of times.
   */
  after(ms: number, callback: () => void): () => void;
}

/** A point in time, on both scales of a clock. */
export interface Moment {
  readonly now: number;
  readonly monotonic: number;
}

/** Now, on both scales. */
export function momentOf(clock: Clock): Moment {
  return { now: clock.now(), monotonic: clock.monotonic() };
}

/**
 * Milliseconds since `then`, for whoever must not believe that less has gone by than others do: on the scale
 * on which it is more. The monotonic one does not count while the machine is suspended, and the wall's may be
 * set.
 */
export function elapsedMs(clock: Clock, then: Moment): number {
  return betweenMs(then, momentOf(clock));
}

/** As `elapsedMs`, from one moment to a later one. */
export function betweenMs(then: Moment, later: Moment): number {
  return Math.max(later.monotonic - then.monotonic, later.now - then.now);
}

/**
 * Milliseconds since `then` in which this machine was awake, however its wall clock was set: for whoever
 * shares something only with others on the same machine.
 */
export function awakeMs(clock: Clock, then: Moment): number {
  return clock.monotonic() - then.monotonic;
}

/** The longest wait of the machine's timers, about 25 days: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A hundred years: nobody waits for longer, and what is added to now still is a time that every backend can
 * keep and compare.
 */
export const LONGEST_WAIT_MS = 36_525 * 24 * 3_600_000;

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
 * Waits `ms` on `clock`. Resolves early, without an error, when `signal` aborts: loops test their signal
 * themselves.
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
