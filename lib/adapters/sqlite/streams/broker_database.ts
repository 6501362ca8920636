/**
 * The broker's SQLite file: opened, with its tables, and every trouble told as the broker's.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { BrokerUnavailableError, IncorrectUsageError, UnavailableError } from "../../../errors.ts";
import { lockComponent } from "../locks.ts";
import type { ComponentSchema } from "../../ports.ts";
import { migrate, schemasOf } from "../file/migrate.ts";
import { streamComponent } from "./schema.ts";
import { SqliteDatabase } from "../file/database.ts";

const COMPONENTS = [streamComponent, lockComponent];

export class BrokerDatabase {
  readonly path: string;
  readonly #clock: Clock;
  #database: SqliteDatabase | undefined;

  constructor(path: string, clock: Clock) {
    this.path = path;
    this.#clock = clock;
  }

  /**
   * Throws `ConfigurationError` for a file that cannot be used. Without `upgrade` its tables are left as they
   * are.
   */
  async open(options: { readonly upgrade: boolean }): Promise<void> {
    if (this.#database) return;
    // NORMAL: nothing is lost when a process dies (delivery 14).
    const database = await SqliteDatabase.open({
      path: this.path,
      synchronous: "NORMAL",
      clock: this.#clock,
      unavailable: BrokerUnavailableError,
    });
    try {
      if (options.upgrade) await migrate(database, COMPONENTS);
    } catch (cause) {
      await database.close();
      throw asBrokerError(cause);
    }
    this.#database = database;
  }

  /** Where its tables stand. */
  async schema(): Promise<readonly ComponentSchema[]> {
    return await this.read((db) => schemasOf(db, COMPONENTS));
  }

  /** Brings its tables to this server's versions. */
  async upgrade(): Promise<void> {
    try {
      await migrate(this.#opened(), COMPONENTS);
    } catch (cause) {
      throw asBrokerError(cause);
    }
  }

  /**
   * One write transaction; `notify` wakes waiting reads after its commit. Rejects with
   * `BrokerUnavailableError`.
   */
  async write<T>(
    work: (db: DatabaseSync) => T,
    options: { readonly notify?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    try {
      return await this.#opened().write(work, { notify: false, ...options });
    } catch (cause) {
      throw asBrokerError(cause);
    }
  }

  /** Reads what is committed. Rejects with `BrokerUnavailableError`. */
  async read<T>(work: (db: DatabaseSync) => T): Promise<T> {
    try {
      return await this.#opened().read(work);
    } catch (cause) {
      throw asBrokerError(cause);
    }
  }

  /**
   * Calls `listener` after commits that notify, and soon after those of other processes; returns the way to
   * stop.
   */
  watch(listener: () => void): () => void {
    return this.#opened().watch(listener);
  }

  async ping(signal: AbortSignal): Promise<void> {
    try {
      await this.#opened().ping(signal);
    } catch (cause) {
      throw asBrokerError(cause);
    }
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await database?.close();
  }

  #opened(): SqliteDatabase {
    if (this.#database) return this.#database;
    throw new IncorrectUsageError(
      `The stream broker on ${this.path} is closed, or was never opened: call open() first.`,
    );
  }
}

/** The file may have been opened first by another adapter, whose class of errors it then has. */
function asBrokerError(cause: unknown): unknown {
  if (!(cause instanceof UnavailableError) || cause instanceof BrokerUnavailableError) return cause;
  return new BrokerUnavailableError(cause.message, { cause });
}
