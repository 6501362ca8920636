/**
 * Waiting for another process's write transaction without stopping the event loop: `busy_timeout` is 0,
 * because with any other value SQLite sleeps in the middle of a statement (431 ms were seen; delivery 14).
 *
 * @module
 */
import { type Clock, sleep } from "../../../async/clock.ts";
import { isBusy } from "./sqlite_error.ts";

/** Bounds of a retry. */
export interface BusyOptions {
  readonly clock: Clock;
  /** Longest wait in ms. */
  readonly limit: number;
  /** What is thrown after it. */
  readonly locked: (cause: unknown) => Error;
  readonly signal?: AbortSignal | undefined;
  /** Told when the wait begins; what it returns is called when it is over. */
  readonly waits?: () => () => void;
}

/**
 * Runs `attempt` again after 1 to 20 ms for as long as SQLite says busy. Rejects with the signal's reason
 * when it aborts.
 */
export async function retryBusy<T>(attempt: () => T | Promise<T>, options: BusyOptions): Promise<T> {
  const { clock, signal } = options;
  let until: number | undefined;
  let over: (() => void) | undefined;
  try {
    while (true) {
      signal?.throwIfAborted();
      try {
        return await attempt();
      } catch (cause) {
        if (!isBusy(cause)) throw cause;
        until ??= clock.monotonic() + options.limit;
        over ??= options.waits?.();
        if (clock.monotonic() >= until) throw options.locked(cause);
        await sleep(clock, 1 + Math.random() * 19, signal);
      }
    }
  } finally {
    over?.();
  }
}
