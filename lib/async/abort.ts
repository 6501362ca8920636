/**
 * Several reasons to stop, as one signal; not waiting any longer than a signal or a deadline allows.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/**
 * Calls `aborted` with the reason when `signal` aborts, at once where it has already, and not any more once
 * disposed. For a signal that lives longer than what it stops: `using _ = onAbort(signal, …)` leaves no
 * listener behind.
 */
export function onAbort(signal: AbortSignal | undefined, aborted: (reason: unknown) => void): Disposable {
  if (!signal) return NOTHING;
  const listener = () => aborted(signal.reason);
  if (signal.aborted) {
    listener();
    return NOTHING;
  }
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

const NOTHING: Disposable = { [Symbol.dispose]() {} };

/** A signal, and the way to stop listening to those it is made of. */
export interface Joined extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that aborts with the first of `signals`, with its reason, until it is disposed. Not
 * `AbortSignal.any`, because in runtimes such as Deno 2.5 what that returns can be collected while somebody
 * listens to it, and then never aborts.
 */
export function joined(...signals: readonly (AbortSignal | undefined)[]): Joined {
  const first = new AbortController();
  const listening: Disposable[] = [];
  const stop = () => listening.forEach((listener) => listener[Symbol.dispose]());
  const abort = (reason: unknown) => {
    first.abort(reason);
    stop();
  };
  for (const signal of signals) {
    if (!first.signal.aborted) listening.push(onAbort(signal, abort));
  }
  return { signal: first.signal, [Symbol.dispose]: stop };
}

/**
 * As `joined`, for signals that live about as long as what they stop: it listens to them until the first one
 * aborts.
 */
export function firstOf(...signals: readonly AbortSignal[]): AbortSignal {
  return joined(...signals).signal;
}

/**
 * Settles as `work` does, or rejects with the signal's reason when that aborts first; `work` goes on unheard.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await work;
  const aborted = Promise.withResolvers<never>();
  using _ = onAbort(signal, aborted.reject);
  return await Promise.race([work, aborted.promise]);
}

/** The reason to stop when the time is over. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";

  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/**
 * A signal that aborts after `ms`, with a `TimeoutError`, or when `signal` aborts, with its reason; until it
 * is disposed.
 */
export function timeLimit(ms: number, clock: Clock, signal?: AbortSignal): Joined {
  const over = new AbortController();
  const listening = onAbort(signal, (reason) => over.abort(reason));
  const cancel = clock.after(ms, () => over.abort(new TimeoutError(ms)));
  return {
    signal: over.signal,
    [Symbol.dispose]: () => {
      cancel();
      listening[Symbol.dispose]();
    },
  };
}

/**
 * Runs `work` for `ms` at most, under the signal of a `timeLimit`: rejects with its reason as soon as that
 * aborts, whatever `work` does then.
 */
export async function deadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  using limit = timeLimit(ms, clock, signal);
  return await abortable(work(limit.signal), limit.signal);
}
