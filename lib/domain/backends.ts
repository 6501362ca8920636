/**
 * Which backend an error is about, and which ones a unit of work has used: noted where the domain calls its
 * adapters, so that whoever waits for one of them knows which.
 *
 * @module
 */
import type { AdapterKind } from "../adapters/ports.ts";
import { asError } from "../errors.ts";

/** One adapter of the domain. */
export interface Backend {
  readonly kind: AdapterKind;
  /** The key in `domain.toml`. */
  readonly name: string;
}

const blamed = new WeakMap<Error, Backend>();

/** Notes which backend has thrown `error`, the first time that it is seen, and returns it. */
export function blame(error: Error, backend: Backend): Error {
  if (!blamed.has(error)) blamed.set(error, backend);
  return error;
}

/** The backend that has thrown `error`. Undefined: none of the domain's adapters did. */
export function backendOf(error: Error): Backend | undefined {
  return blamed.get(error);
}

/** Settles as `work` does; what it rejects with is blamed on `backend`. */
export async function blaming<T>(backend: Backend, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw blame(asError(thrown), backend);
  }
}
