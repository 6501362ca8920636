/**
 * A write transaction that stays open across awaits, for units of work that write with `ctx.sql` (delivery
 * 14).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { inTransaction } from "./older_runtime.ts";

/** What a held transaction needs of its database. */
export interface HoldHost {
  readonly db: DatabaseSync;
  commit(notify: boolean): void;
  /** Never throws. */
  rollback(): void;
  /** Gives the turn to write back. */
  release(): void;
  /** A driver's error as one of ours. */
  ours(thrown: unknown): unknown;
  /** What is thrown when the transaction is gone: SQLite rolls back by itself on a full disk. */
  lost(): Error;
}

/** Nobody else in this process or another writes to the file until it ends: keep it short. */
export class HeldTransaction {
  #open = true;

  constructor(private readonly host: HoldHost) {}

  /** Runs statements inside the transaction, with the driver's errors made ours. */
  run<T>(work: (db: DatabaseSync) => T): T {
    this.#check();
    try {
      return work(this.host.db);
    } catch (cause) {
      throw this.host.ours(cause);
    }
  }

  /** Commits and ends the hold, also when it throws: everything is rolled back then. */
  commit(options: { readonly notify?: boolean } = {}): void {
    try {
      this.#check();
      this.host.commit(options.notify ?? true);
      this.#end();
    } catch (cause) {
      this.rollback();
      throw this.host.ours(cause);
    }
  }

  /** Rolls back and ends the hold. Nothing happens after `commit` or a first `rollback`; never throws. */
  rollback(): void {
    if (!this.#open) return;
    this.host.rollback();
    this.#end();
  }

  #check(): void {
    if (!this.#open || !inTransaction(this.host.db)) throw this.host.lost();
  }

  #end(): void {
    this.#open = false;
    this.host.release();
  }
}
