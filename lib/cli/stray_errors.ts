/**
 * Errors that nobody handles, caught for as long as a program of ours runs an engine. Only a command line may
 * do this: a library that took these events over would hide the errors of the program around it.
 *
 * @module
 */
import { asError } from "../errors.ts";

/**
 * Keeps rejections and exceptions that nobody handles from ending the process without a drain; `told` hears
 * of each.
 */
export function catchStrayErrors(told: (error: Error) => void): Disposable {
  const rejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    told(asError(event.reason));
  };
  const exception = (event: ErrorEvent) => {
    event.preventDefault();
    told(asError(event.error));
  };
  globalThis.addEventListener("unhandledrejection", rejection);
  globalThis.addEventListener("error", exception);
  return {
    [Symbol.dispose]: () => {
      globalThis.removeEventListener("unhandledrejection", rejection);
      globalThis.removeEventListener("error", exception);
    },
  };
}
