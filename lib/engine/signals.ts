/**
 * Stop signals: the first starts the drain, the second cuts it short (design 7).
 *
 * @module
 */
import { basename } from "node:path";
import { type Clock, systemClock } from "../async/clock.ts";
import { SAME_SIGNAL_MS, STOP_SIGNALS } from "../async/stop_signals.ts";

/** What the signals have asked for. */
export interface StopSignals {
  /** Aborts at the first signal; `reason` is its name. */
  readonly drain: AbortSignal;
  /** Aborts at the second, which is one that does not come together with the first. */
  readonly cut: AbortSignal;
  /** Puts the process's own behaviour back. */
  dispose(): void;
}

/**
 * Listens from now on. Called before the first `await` of the process: as PID 1 a process without a listener
 * ignores SIGTERM (platform: signals, containers).
 */
export function listenForStopSignals(
  clock: Clock = systemClock,
  passedOn: () => boolean = hasTaskRunner,
): StopSignals {
  const drain = new AbortController();
  const cut = new AbortController();
  let first: number | undefined;
  const listeners = STOP_SIGNALS.map((name) => {
    const listener = () => {
      const now = clock.monotonic();
      first ??= now;
      if (!drain.signal.aborted) drain.abort(name);
      else if (now - first >= SAME_SIGNAL_MS || !passedOn()) cut.abort(name);
    };
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

/**
 * For a worker, whom its supervisor tells what to do: Ctrl-C and a closed terminal reach the whole group and
 * change nothing here. What is returned aborts at SIGTERM, which systemd sends to everybody; `reloadAsked` is
 * told of a SIGUSR2, which is not for a worker.
 */
export function leaveSignalsToSupervisor(reloadAsked: () => void = () => {}): AbortSignal {
  const terminated = new AbortController();
  for (const name of STOP_SIGNALS) {
    Deno.addSignalListener(name, () => name === "SIGTERM" && terminated.abort(name));
  }
  onReloadSignal(reloadAsked);
  return terminated.signal;
}

/** Who is told to replace the workers; nobody, before there are any: they come as what is on disk then. */
export interface ReloadRequests {
  asked: () => void;
}

/** Calls `told` at every SIGUSR2, which would end a process that does not listen to it. */
export function onReloadSignal(told: () => void): Disposable {
  if (Deno.build.os === "windows") return { [Symbol.dispose]: () => {} };
  Deno.addSignalListener("SIGUSR2", told);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGUSR2", told) };
}

/** Whether a task runner started this process; false where that cannot be told. */
function hasTaskRunner(): boolean {
  try {
    return isTaskRunner(Deno.readTextFileSync(`/proc/${Deno.ppid}/cmdline`));
  } catch {
    return false;
  }
}

/**
 * Whether that is a task runner: `deno task start`, `npm run start` and the like. `commandLine` is the
 * program and its arguments, each ended by a NUL.
 */
export function isTaskRunner(commandLine: string): boolean {
  const [program = "", ...args] = commandLine.split("\0");
  const name = basename(program);
  if (name === "deno") return args.find((arg) => !arg.startsWith("-")) === "task";
  return /^(npm|npx|pnpm|yarn)\b/.test(name);
}
