/**
 * One adapter's share of a SQLite file: opened once, closed once, however often the adapter is asked to.
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import { IncorrectUsageError } from "../../../errors.ts";
import type { Synchronous } from "./connection.ts";
import { type OpenDatabase, SqliteDatabase } from "./database.ts";
import { migrate, type SqliteComponent } from "./migrate.ts";

export interface DatabaseFileOptions {
  /** Absolute. */
  readonly path: string;
  readonly synchronous: Synchronous;
  readonly clock: Clock;
  /** The error class for a file in trouble. @default ProviderUnavailableError */
  readonly unavailable?: OpenDatabase["unavailable"];
  /** The adapter's tables, which are brought to this server's versions. */
  readonly components?: readonly SqliteComponent[];
}

export class DatabaseFile {
  #opening: Promise<SqliteDatabase> | undefined;
  #database: SqliteDatabase | undefined;

  constructor(private readonly options: DatabaseFileOptions) {}

  /** Throws `ConfigurationError` for a file that cannot be used; after a failure it may be tried again. */
  async open(): Promise<void> {
    const opening = this.#opening ??= this.#open();
    try {
      const database = await opening;
      if (this.#opening === opening) this.#database = database;
    } catch (cause) {
      if (this.#opening === opening) this.#opening = undefined;
      throw cause;
    }
  }

  /** The open file. Throws `IncorrectUsageError` before `open` and after `close`. */
  get(): SqliteDatabase {
    if (this.#database) return this.#database;
    throw new IncorrectUsageError(
      `The SQLite file ${this.options.path} is not open: call domain.init() first.`,
    );
  }

  /** Whether both are one file, however their paths are spelled. */
  isSameAs(other: DatabaseFile): boolean {
    if (this.#database && other.#database) return this.#database === other.#database;
    return this.options.path === other.options.path;
  }

  /** Idempotent; never throws. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = this.#database = undefined;
    const database = await opening?.catch(() => undefined);
    await database?.close();
  }

  async #open(): Promise<SqliteDatabase> {
    const { components = [], ...options } = this.options;
    const database = await SqliteDatabase.open(options);
    try {
      if (components.length > 0) await migrate(database, components);
      return database;
    } catch (cause) {
      await database.close();
      throw cause;
    }
  }
}
