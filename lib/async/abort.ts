/**
 * Several reasons to stop, as one signal; and not waiting any longer than a signal allows.
 *
 * @module
 */

/**
 * A signal that aborts with the first of `signals`, with its reason. It listens to them until then: for signals that live
 * about as long as what they stop. Not `AbortSignal.any`, because in runtimes such as Deno 2.5 what that returns can be
 * collected while somebody listens to it, and then never aborts.
 */
export function firstOf(...signals: readonly AbortSignal[]): AbortSignal {
  const first = new AbortController();
  for (const signal of signals) {
    const abort = () => first.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true, signal: first.signal });
  }
  return first.signal;
}

/** Settles as `work` does, or rejects with the signal's reason when that aborts first; `work` goes on unheard. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await work;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
