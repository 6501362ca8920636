/**
 * Stop signals: the first starts the drain, the second cuts it short (design 7).
 *
 * @module
 */

/** What the signals have asked for. */
export interface StopSignals {
  /** Aborts at the first signal; `reason` is its name. */
  readonly drain: AbortSignal;
  /** Aborts at the second. */
  readonly cut: AbortSignal;
  /** Puts the process's own behaviour back. */
  dispose(): void;
}

/** Windows knows no SIGTERM and sends these for Ctrl-C and Ctrl-Break; listening for others is refused there. */
const STOP: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGTERM", "SIGINT", "SIGHUP"];

/**
 * Listens from now on. Called before the first `await` of the process: as PID 1 a process without a listener ignores
 * SIGTERM (platform: signals, containers).
 */
export function listenForStopSignals(): StopSignals {
  const drain = new AbortController();
  const cut = new AbortController();
  const listeners = STOP.map((name) => {
    const listener = () => (drain.signal.aborted ? cut : drain).abort(name);
    Deno.addSignalListener(name, listener);
    return () => Deno.removeSignalListener(name, listener);
  });
  return {
    drain: drain.signal,
    cut: cut.signal,
    dispose: () => {
      for (const remove of listeners.splice(0)) remove();
    },
  };
}
