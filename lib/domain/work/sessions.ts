/**
 * The provider sessions of one unit of work, and the one guard before them: opened when first touched
 * (POOL-3), not used again after a call has failed, ended together, and given up when the message is lost or
 * the drain cuts its handler.
 *
 * @module
 */
import type { ProviderSession, WriteSet } from "../../adapters/ports.ts";
import { onAbort } from "../../async/abort.ts";
import { asError, CommitRefusedError, IncorrectUsageError } from "../../errors.ts";
import { type Backend, blame } from "../backends.ts";
import type { WorkRuntime } from "../runtime.ts";

/**
 * What a handler has to end in once its signal has aborted, before its connections are destroyed (design 7).
 */
export const ABANDON_AFTER_MS = 1000;

/** Whether the work may still have an effect. */
export interface Guard {
  /** Aborted when ownership of the message is lost or when the drain cuts the handler. */
  readonly signal: AbortSignal;
  /** Asked right before every commit. */
  mayCommit(): boolean;
  /**
   * Aborts when `mayCommit` says no from now on, for a commit that is under way by then. Looked at only once
   * `signal` has aborted. Absent: that takes `ABANDON_AFTER_MS` from there.
   */
  readonly givenUp?: AbortSignal;
  /** Told of every backend that has committed a part of the work. */
  committed?(backend: Backend): void;
}

/** See `SessionOptions.turn`. */
export type Turn = object | undefined;

/** Calls come one at a time, each after the end of the one before: `CallQueue` sees to that. */
export class Sessions {
  readonly #runtime: WorkRuntime;
  readonly #guard: Guard;
  readonly #turn: Turn;
  readonly #open = new Map<string, ProviderSession>();
  #watching: Disposable | undefined;
  #cancelAbandon: (() => void) | undefined;
  #watchingGivenUp: Disposable | undefined;
  #beside: AbortController | undefined;
  #abandoned = false;
  /** As in PostgreSQL: after a call has failed the unit of work can only be rolled back, with that error. */
  #failure: Error | undefined;

  constructor(runtime: WorkRuntime, guard: Guard, turn?: Turn) {
    this.#runtime = runtime;
    this.#guard = guard;
    this.#turn = turn;
  }

  /** What the first call that failed has thrown; nothing can be committed since. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Names of the providers touched so far. */
  get names(): readonly string[] {
    return [...this.#open.keys()];
  }

  /**
   * Makes one call of the session on `provider`, which is opened if need be. Rejects with what the call does,
   * and so does every further one, even where user code has swallowed the error; with `CommitRefusedError`
   * once the work has been given up.
   */
  async run<T>(provider: string, call: (session: ProviderSession) => Promise<T>): Promise<T> {
    try {
      const result = await this.#runtime.crowd.inside(call(this.#on(provider)));
      if (!this.#abandoned) return result;
    } catch (error) {
      throw this.#failed(error, { kind: "provider", name: provider });
    }
    throw refusal();
  }

  /** Throws what has failed before, and `CommitRefusedError` when the message was lost or the handler cut. */
  assertMayCommit(): void {
    if (this.#abandoned || !this.#guard.mayCommit()) throw refusal();
    if (this.#failure) throw this.#failure;
  }

  /**
   * Writes and commits on `provider`; returns the event-store positions. Throws as `assertMayCommit` does,
   * and what the adapter does.
   */
  async commit(provider: string, writes: WriteSet): Promise<readonly number[]> {
    this.assertMayCommit();
    try {
      // What is certain is reported as that, even if the work was given up meanwhile.
      const { positions } = await this.#runtime.crowd.inside(this.#on(provider).commit(writes));
      this.#open.delete(provider);
      if (this.#open.size === 0) this.#unwatch();
      this.#guard.committed?.({ kind: "provider", name: provider });
      return positions;
    } catch (error) {
      throw this.#failed(error, { kind: "provider", name: provider });
    }
  }

  /**
   * Does a part of the commit that no session does; `signal` aborts when the work is given up. Throws as
   * `assertMayCommit` does, and what `work` does.
   */
  async beside<T>(backend: Backend, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.assertMayCommit();
    this.#beside ??= new AbortController();
    this.#watch();
    try {
      return await work(this.#beside.signal);
    } catch (error) {
      throw this.#failed(error, backend);
    } finally {
      if (this.#open.size === 0) this.#unwatch();
    }
  }

  /** Gives up what was written. Never throws. */
  async rollback(): Promise<void> {
    // Still watched meanwhile: a rollback may hang on the very connection that the drain is about to destroy.
    await Promise.all([...this.#open.values()].map((session) => session.rollback()));
    this.#open.clear();
    this.#unwatch();
  }

  #on(provider: string): ProviderSession {
    if (this.#abandoned) throw refusal();
    if (this.#failure) throw this.#failure;
    return this.#open.get(provider) ?? this.#opened(provider);
  }

  #opened(provider: string): ProviderSession {
    this.assertMayCommit();
    const adapter = this.#runtime.providers.get(provider);
    if (!adapter) {
      throw new IncorrectUsageError(
        `There is no database '${provider}': configure it as [databases.${provider}].`,
      );
    }
    const session = adapter.session({
      signal: this.#guard.signal,
      turn: this.#turn,
      refused: () => this.#abandoned || !this.#guard.mayCommit() ? refusal() : undefined,
    });
    this.#open.set(provider, session);
    this.#watch();
    return session;
  }

  /** Notes a failure; returns it as user code is to see it. */
  #failed(thrown: unknown, backend: Backend): Error {
    if (thrown instanceof CommitRefusedError) return thrown;
    const error = blame(asError(thrown), backend);
    const { signal } = this.#guard;
    const stopped = this.#abandoned || signal.aborted && error === signal.reason;
    return this.#failure ??= stopped ? refusal(error) : error;
  }

  #watch(): void {
    this.#watching ??= onAbort(this.#guard.signal, () => this.#aborted());
  }

  #aborted(): void {
    if (!this.#guard.mayCommit()) return this.#abandon();
    this.#cancelAbandon ??= this.#runtime.clock.after(ABANDON_AFTER_MS, () => this.#abandon());
    // A session that is opened after the cut is given up with the others.
    this.#watchingGivenUp ??= onAbort(this.#guard.givenUp, () => this.#abandon());
  }

  #abandon(): void {
    this.#abandoned = true;
    for (const session of this.#open.values()) session.abandon();
    this.#beside?.abort(refusal());
  }

  #unwatch(): void {
    this.#watching?.[Symbol.dispose]();
    this.#watching = undefined;
    this.#cancelAbandon?.();
    this.#cancelAbandon = undefined;
    this.#watchingGivenUp?.[Symbol.dispose]();
    this.#watchingGivenUp = undefined;
  }
}

/** What work is refused with that may have no effect any more. */
export function refusal(cause?: Error): CommitRefusedError {
  return new CommitRefusedError(
    "The work was given up and commits nothing: its message was claimed by another process, or the drain cut it. " +
      "It is delivered again.",
    cause === undefined ? {} : { cause },
  );
}
