/**
 * A lock by name, for "only one of us": one holder among all processes on one backend.
 *
 * @module
 */

/**
 * A lock that is held. It may be lost at any time, with the connection or the process's own standstill, and
 * somebody else may have it then: whatever it protects stops when `signal` aborts, and must not be harmed by
 * two who are at it for a moment.
 */
export interface Lock extends AsyncDisposable {
  readonly name: string;
  /** Aborts when the lock is lost, also by closing its adapter; not when it is released. */
  readonly signal: AbortSignal;
  /** Releases it. Idempotent, never rejects: a lock that cannot be released ends by itself. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LockOptions {
  /** Ends the wait for the backend. */
  readonly signal?: AbortSignal;
}
