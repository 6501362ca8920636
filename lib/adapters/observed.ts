/**
 * An adapter whose calls are observed: one wrapper around all that a port has, so that no adapter measures
 * itself.
 *
 * @module
 */
import { whenEnded } from "../async/when_ended.ts";
import { asError } from "../errors.ts";

/**
 * Told that an operation begins; returns what is called when it has ended. Undefined: it is of no interest.
 */
export type CallObserver = (operation: string) => ((error?: Error) => void) | undefined;

/**
 * The same adapter; calls of its own methods through the result are told to `observe`. Its private state
 * stays its own.
 */
export function observed<T extends object>(adapter: T, observe: CallObserver): T {
  const methods = new Map<PropertyKey, unknown>();
  return new Proxy(adapter, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function" || typeof key !== "string") return member;
      let method = methods.get(key);
      if (!method) methods.set(key, method = told(key, member.bind(target), observe));
      return method;
    },
  });
}

function told(operation: string, method: (...args: unknown[]) => unknown, observe: CallObserver): unknown {
  return (...args: unknown[]) => {
    const ended = observe(operation);
    if (!ended) return method(...args);
    let result: unknown;
    try {
      result = method(...args);
    } catch (error) {
      ended(asError(error));
      throw error;
    }
    if (!(result instanceof Promise)) {
      ended();
      return result;
    }
    // The caller gets the promise itself: what is observed is not delayed by being observed.
    return whenEnded(result, ended);
  };
}
