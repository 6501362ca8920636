/**
 * Whether a handler failed for its message or for a backend.
 *
 * @module
 */
import { type Backend, backendOf } from "../domain/backends.ts";
import { ProteanError, RefusedError, UnavailableError } from "../errors.ts";

/** User code may wrap an error, and a chain of causes may end in itself. */
const DEEPEST_CAUSE = 8;

/** Why a handler could not do its work: a backend that is away, or refuses everybody. */
export interface Outage {
  readonly error: UnavailableError | RefusedError;
  /** Undefined where the domain's adapters have not thrown it. */
  readonly backend: Backend | undefined;
}

/**
 * The outage that nothing but which kept the handler's methods from their work; undefined: the failure is the
 * message's or the handler's own. Never throws.
 */
export function outageOf(thrown: unknown, depth = 0): Outage | undefined {
  if (depth > DEEPEST_CAUSE) return undefined;
  try {
    if (thrown instanceof UnavailableError || thrown instanceof RefusedError) {
      return { error: thrown, backend: backendOf(thrown) };
    }
    if (thrown instanceof AggregateError) {
      const outages = thrown.errors.map((error) => outageOf(error, depth + 1));
      return outages.every((outage) => outage !== undefined) ? outages[0] : undefined;
    }
    const isOurs = thrown instanceof ProteanError;
    return thrown instanceof Error && !isOurs ? outageOf(thrown.cause, depth + 1) : undefined;
  } catch {
    // A Proxy may throw when it is asked what it is, a getter when it is read.
    return undefined;
  }
}
