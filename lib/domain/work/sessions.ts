/**
 * The provider sessions of one unit of work: opened when first touched (POOL-3), ended together, and given up when
 * the message is lost or the drain cuts its handler.
 *
 * @module
 */
import type { ProviderSession, WriteSet } from "../../adapters/ports.ts";
import { CommitRefusedError, IncorrectUsageError } from "../../errors.ts";
import type { WorkRuntime } from "../runtime.ts";

/** What a handler has to end in once its signal has aborted, before its connections are destroyed (design 7). */
export const ABANDON_AFTER_MS = 1000;

/** Whether the work may still have an effect. */
export interface Guard {
  /** Aborted when ownership of the message is lost or when the drain cuts the handler. */
  readonly signal: AbortSignal;
  /** Asked right before every commit. */
  mayCommit(): boolean;
}

export class Sessions {
  readonly #runtime: WorkRuntime;
  readonly #guard: Guard;
  readonly #open = new Map<string, ProviderSession>();
  #cancelAbandon: (() => void) | undefined;
  #abandoned = false;

  constructor(runtime: WorkRuntime, guard: Guard) {
    this.#runtime = runtime;
    this.#guard = guard;
  }

  /** Names of the providers touched so far. */
  get names(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** The session on `provider`, opened if need be. Throws `CommitRefusedError` when the work has been given up. */
  on(provider: string): ProviderSession {
    const open = this.#open.get(provider);
    if (open) return open;
    this.assertMayCommit();
    const adapter = this.#runtime.providers.get(provider);
    if (!adapter) {
      throw new IncorrectUsageError(
        `There is no database '${provider}': configure it as [databases.${provider}].`,
      );
    }
    const session = adapter.session({ signal: this.#guard.signal });
    if (this.#open.size === 0) this.#watch();
    this.#open.set(provider, session);
    return session;
  }

  /** Throws `CommitRefusedError` when the message was lost or the handler cut. */
  assertMayCommit(): void {
    if (!this.#abandoned && this.#guard.mayCommit()) return;
    throw new CommitRefusedError(
      "The work was given up and commits nothing: its message was claimed by another process, or the drain cut it. " +
        "It is delivered again.",
    );
  }

  /** Writes and commits on `provider`; answers the event-store positions. Throws `CommitRefusedError` as `assertMayCommit` does. */
  async commit(provider: string, writes: WriteSet): Promise<readonly number[]> {
    const session = this.on(provider);
    this.assertMayCommit();
    const { positions } = await session.commit(writes);
    this.#open.delete(provider);
    if (this.#open.size === 0) this.#unwatch();
    return positions;
  }

  /** Gives up what was written. Never throws. */
  async rollback(): Promise<void> {
    // Still watched meanwhile: a rollback may hang on the very connection that the drain is about to destroy.
    await Promise.all([...this.#open.values()].map((session) => session.rollback()));
    this.#open.clear();
    this.#unwatch();
  }

  #watch(): void {
    const { signal } = this.#guard;
    if (signal.aborted) this.#aborted();
    else signal.addEventListener("abort", this.#aborted, { once: true });
  }

  readonly #aborted = (): void => {
    if (!this.#guard.mayCommit()) return this.#abandon();
    this.#cancelAbandon ??= this.#runtime.clock.after(ABANDON_AFTER_MS, () => this.#abandon());
  };

  #abandon(): void {
    this.#abandoned = true;
    for (const session of this.#open.values()) session.abandon();
  }

  #unwatch(): void {
    this.#guard.signal.removeEventListener("abort", this.#aborted);
    this.#cancelAbandon?.();
    this.#cancelAbandon = undefined;
  }
}
