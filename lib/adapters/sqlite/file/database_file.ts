/**
 * One adapter's share of a SQLite file: opened once, closed once, however often the adapter is asked to.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { IncorrectUsageError, UnavailableError } from "../../../errors.ts";
import type { ComponentSchema } from "../../ports.ts";
import { type OpenDatabase, SqliteDatabase, type WriteOptions } from "./database.ts";
import { migrate, schemasOf, type SqliteComponent } from "./migrate.ts";
import type { Silence } from "./silence.ts";

export interface DatabaseFileOptions extends OpenDatabase {
  /** The adapter's tables. */
  readonly components?: readonly SqliteComponent[];
  /** Whether `open` brings them to this server's versions. @default true */
  readonly migrate?: boolean | undefined;
  /**
   * The error class for a file in trouble, whoever else has it open. @default ProviderUnavailableError
   */
  readonly unavailable?: new (message: string, options: { cause?: unknown }) => UnavailableError;
}

export class DatabaseFile {
  #opening: Promise<SqliteDatabase> | undefined;
  #database: SqliteDatabase | undefined;

  constructor(private readonly options: DatabaseFileOptions) {}

  /** Throws `ConfigurationError` for a file that cannot be used; after a failure it may be tried again. */
  async open(): Promise<void> {
    const opening = this.#opening ??= this.#told(() => this.#open());
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

  /**
   * `SqliteDatabase.write`, with this adapter's error; watchers hear of it only where `notify` says so.
   */
  write<T>(work: (db: DatabaseSync) => T, options: WriteOptions = {}): Promise<T> {
    return this.#told(() => this.get().write(work, { notify: false, ...options }));
  }

  /** `SqliteDatabase.read`, with this adapter's error. */
  read<T>(work: (db: DatabaseSync) => T, signal?: AbortSignal): Promise<T> {
    return this.#told(() => this.get().read(work, signal));
  }

  /** `SqliteDatabase.silence`. */
  get silence(): Silence {
    return this.get().silence;
  }

  /** `SqliteDatabase.watch`. */
  watch(listener: () => void): () => void {
    return this.get().watch(listener);
  }

  /** `SqliteDatabase.ping`, with this adapter's error. */
  ping(signal?: AbortSignal): Promise<void> {
    return this.#told(() => this.get().ping(signal));
  }

  /** Where the adapter's tables stand. */
  schema(): Promise<readonly ComponentSchema[]> {
    return this.read((db) => schemasOf(db, this.options.components ?? []));
  }

  /** Brings the adapter's tables to this server's versions. */
  upgrade(): Promise<void> {
    return this.#told(() => migrate(this.get(), this.options.components ?? []));
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
    const { components = [], migrate: wanted = true } = this.options;
    const database = await SqliteDatabase.open(this.options);
    try {
      if (wanted && components.length > 0) await migrate(database, components);
      return database;
    } catch (cause) {
      await database.close();
      throw cause;
    }
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const { unavailable: Own } = this.options;
      if (!Own || !(cause instanceof UnavailableError)) throw cause;
      throw new Own(cause.message, { cause: cause.cause });
    }
  }
}
