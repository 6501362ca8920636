/**
 * The embedded database: aggregate and view rows, outbox and idempotency marks in one SQLite file, written in one
 * transaction with the event store when that is in the same file (delivery 14, 15, 17).
 *
 * @module
 */
import {
  type AdapterOptions,
  BaseProvider,
  type ProviderCapabilities,
  type ProviderSession,
  type SessionOptions,
  type TableSpec,
} from "../ports.ts";
import { DatabaseFile } from "./file/database_file.ts";
import { deleteMarks } from "./tables/marks.ts";
import { SqliteOutbox } from "./outbox/outbox.ts";
import { createOwnTables, createRowTable, dropTables, truncateTables } from "./tables/schema.ts";
import { SqliteSession } from "./tables/session.ts";
import { sqlitePath } from "./file/uri.ts";

export class SqliteProvider extends BaseProvider {
  readonly capabilities: ProviderCapabilities = { sql: true, embedded: true };
  readonly outbox: SqliteOutbox;
  /** Absolute path of the file. */
  readonly path: string;
  /** For the event store, which may be in the same file. */
  readonly file: DatabaseFile;

  /** Reads `database_uri`, by default `sqlite:///<domain>.db`. Throws `ConfigurationError` for a URI that names no file. */
  constructor(options: AdapterOptions) {
    super(options);
    const uri = String(options.settings.database_uri ?? `sqlite:///${options.domain}.db`);
    this.path = sqlitePath(uri, options.folder);
    this.file = new DatabaseFile({ path: this.path, synchronous: "FULL", clock: options.clock });
    this.outbox = new SqliteOutbox(() => this.file.get(), options.clock);
  }

  override async open(): Promise<void> {
    await this.file.open();
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.file.get().ping(signal);
  }

  override async close(): Promise<void> {
    await this.file.close();
  }

  async setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void> {
    await this.file.get().write((db) => {
      createOwnTables(db);
      if (scope === "all") { for (const { name } of tables) createRowTable(db, name); }
    });
  }

  /** Drops the given tables, outbox and marks. */
  async drop(tables: readonly TableSpec[]): Promise<void> {
    await this.file.get().write((db) => dropTables(db, tables.map(({ name }) => name)));
  }

  /** Empties the given tables, outbox and marks. */
  async truncate(tables: readonly TableSpec[]): Promise<void> {
    await this.file.get().write((db) => truncateTables(db, tables.map(({ name }) => name)));
  }

  session(options: SessionOptions = {}): ProviderSession {
    return new SqliteSession(this.file.get(), this.options.clock, options);
  }

  async cleanMarks(before: number, limit: number): Promise<number> {
    return await this.file.get().write((db) => deleteMarks(db, new Date(before).toISOString(), limit), {
      notify: false,
    });
  }
}
