/**
 * Several reasons to stop, as one signal.
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
