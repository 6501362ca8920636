/**
 * Waiting for another process's write transaction without stopping the event loop: `busy_timeout` is 0,
 * because with any other value SQLite sleeps in the middle of a statement (431 ms were seen; delivery 14).
 *
 * @module
 */
import { type Clock, sleep } from "../../../async/clock.ts";
import type { LockSpan } from "./lock_span.ts";
import { isBusy } from "./sqlite_error.ts";

/** Whoever comes when others have waited to the end still waits so long, in ms. */
const LEAST_WAIT = 1_000;

/**
 * Ours hold the file for a millisecond or two: who waits for one of them tries again as soon, for where another
 * process commits without a pause the gaps are as short. What has held it for longer than `SHORT_WAIT` holds it
 * for long, and is not asked so often. In ms.
 */
const SOON = 2;
const SHORT_WAIT = 250;
const SELDOM = 19;

/** Bounds of a retry. */
export interface BusyOptions {
  readonly clock: Clock;
  /** Longest wait in ms; with a `span`, from the beginning of that. */
  readonly limit: number;
  /** Of who wants to write. */
  readonly span?: LockSpan | undefined;
  /** What is thrown after it. */
  readonly locked: (cause: unknown) => Error;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `attempt` again after 1 to 3 ms, later 1 to 20 ms, for as long as SQLite says busy. Rejects with the signal's reason
 * when it aborts.
 */
export async function retryBusy<T>(attempt: () => T | Promise<T>, options: BusyOptions): Promise<T> {
  const { clock, signal, span } = options;
  let began: number | undefined;
  let until: number | undefined;
  while (true) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (cause) {
      if (!isBusy(cause)) throw cause;
      span?.met();
      const now = clock.monotonic();
      began ??= now;
      until ??= now + Math.max(LEAST_WAIT, options.limit - (span?.ms ?? 0));
      if (now >= until) throw options.locked(cause);
      await sleep(clock, 1 + Math.random() * (now - began < SHORT_WAIT ? SOON : SELDOM), signal);
    }
  }
}
