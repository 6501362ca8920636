/**
 * Retries inside one delivery after errors that usually pass (S65, wire 10.7): off unless
 * `[server.transient_retry]` or the handler asks for them.
 *
 * @module
 */
import type { LoadedConfig } from "../../config/load.ts";
import type { HandlerOptions } from "../types.ts";

type Settings = LoadedConfig["config"]["server"]["transient_retry"];

/** What is tried again, how often and when. */
export interface TransientPolicy {
  /** Tries after the first. */
  readonly retries: number;
  readonly backoff: Settings["backoff"];
  readonly baseSeconds: number;
  readonly mostSeconds: number;
  /** Names of classes; what stands before the last point is Python's module. */
  readonly exceptions: ReadonlySet<string>;
}

/** User code may wrap an error, and a chain of causes may end in itself. */
const DEEPEST_CAUSE = 8;

/** What the machine and the runtime call what Python calls these. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  ConnectionError: [
    ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ENOTCONN", "EHOSTUNREACH", "ENETUNREACH"],
    ...["ENOTFOUND"],
    ...["ConnectionRefused", "ConnectionReset", "ConnectionAborted", "NotConnected", "BrokenPipe"],
  ],
  TimeoutError: ["ETIMEDOUT", "TimedOut"],
};

/** `fetch` says no more than this when it has no connection. */
const NOT_FETCHED = /^(fetch failed|error sending request)/;

/** Undefined: nothing is tried again. What a handler says comes first, and switches it on by itself. */
export function transientPolicy(
  settings: Settings,
  { retries, backoff, retryExceptions }: Pick<HandlerOptions, "retries" | "backoff" | "retryExceptions">,
): TransientPolicy | undefined {
  const most = retries ?? (settings.enabled ? settings.max_retries : 0);
  if (most === 0) return undefined;
  const names = (retryExceptions ?? settings.exceptions).map((name) => name.slice(name.lastIndexOf(".") + 1));
  return {
    retries: most,
    backoff: backoff ?? settings.backoff,
    baseSeconds: settings.base_delay_seconds,
    mostSeconds: settings.max_delay_seconds,
    exceptions: new Set(
      names.flatMap((name) => [name, ...(Object.hasOwn(ALSO, name) ? ALSO[name] ?? [] : [])]),
    ),
  };
}

/** Milliseconds before the try after `failures` (from 0) have been repeated; undefined: there is none. */
export function transientDelay(policy: TransientPolicy, failures: number): number | undefined {
  const { retries, backoff, baseSeconds, mostSeconds } = policy;
  if (failures >= retries) return undefined;
  const times = { fixed: 1, linear: failures + 1, exponential: 2 ** failures }[backoff];
  return 1000 * Math.min(baseSeconds * times, mostSeconds);
}

/** Whether it, or what caused it, is one of those that pass: by its class, those above it, or its code. */
export function isTransient({ exceptions }: TransientPolicy, thrown: unknown): boolean {
  try {
    for (let [error, depth] = [thrown, 0]; error instanceof Error && depth < DEEPEST_CAUSE; depth++) {
      if ([...namesOf(error)].some((name) => exceptions.has(name))) return true;
      if (
        exceptions.has("ConnectionError") && error instanceof TypeError && NOT_FETCHED.test(error.message)
      ) {
        return true;
      }
      error = error.cause;
    }
  } catch { /* A Proxy may throw when it is asked what it is, a getter when it is read. */ }
  return false;
}

function* namesOf(error: Error): Iterable<string> {
  yield error.name;
  if ("code" in error && typeof error.code === "string") yield error.code;
  for (let at: unknown = error; at instanceof Error; at = Object.getPrototypeOf(at)) {
    yield at.constructor.name;
  }
}
