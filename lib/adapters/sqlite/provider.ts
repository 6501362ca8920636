/**
 * The embedded database: aggregate and view rows, outbox and idempotency marks in one SQLite file, written in
 * one transaction with the event store when that is in the same file (delivery 14, 15, 17).
 *
 * @module
 */
import {
  type AdapterOptions,
  BaseProvider,
  type ComponentSchema,
  type Lock,
  type LockOptions,
  type ProviderCapabilities,
  type ProviderSession,
  type SessionOptions,
  type TableSpec,
} from "../ports.ts";
import type { SqliteDatabase } from "./file/database.ts";
import { DatabaseFile } from "./file/database_file.ts";
import {
  dropComponents,
  droppable,
  migrate,
  placeOf,
  schemasOf,
  type SqliteComponent,
} from "./file/migrate.ts";
import { statement } from "./file/statements.ts";
import { SqliteLocks } from "./locks.ts";
import { requireCompatible, requireUpgraded } from "../migrations.ts";
import { RetentionClock } from "../retention_clock.ts";
import { deleteMarks, markTimes } from "./tables/marks.ts";
import { SqliteOutbox } from "./outbox/outbox.ts";
import { lastProcessed } from "./outbox/outbox_report.ts";
import { ownComponents, rowComponent, truncateTables } from "./tables/migrations.ts";
import { SqliteSession } from "./tables/session.ts";
import { sqlitePath } from "./file/uri.ts";

export class SqliteProvider extends BaseProvider {
  readonly capabilities: ProviderCapabilities = { sql: true, embedded: true };
  readonly outbox: SqliteOutbox;
  /** Absolute path of the file. */
  readonly path: string;
  /** For the event store, which may be in the same file. */
  readonly file: DatabaseFile;
  readonly #locks: SqliteLocks;
  readonly #retention: RetentionClock;
  #retentionStarted = false;

  /**
   * Reads `database_uri`, by default `sqlite:///<domain>.db`. Throws `ConfigurationError` for a URI that
   * names no file.
   */
  constructor(options: AdapterOptions) {
    super(options);
    const uri = String(options.settings.database_uri ?? `sqlite:///${options.domain}.db`);
    this.path = sqlitePath(uri, options.folder);
    this.file = new DatabaseFile({ path: this.path, synchronous: "FULL", clock: options.clock });
    this.#retention = new RetentionClock(options.clock, options.name);
    this.outbox = new SqliteOutbox(() => this.file.get(), options.clock, this.#retention);
    this.#locks = new SqliteLocks(
      (work, { signal } = {}) => this.file.get().write(work, { signal, notify: false, durable: false }),
      () => this.file.silence,
      options.clock,
    );
  }

  override async open(): Promise<void> {
    await this.file.open();
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.file.get().ping(signal);
  }

  override async close(): Promise<void> {
    await this.#locks.close();
    await this.file.close();
  }

  async setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void> {
    const database = this.file.get();
    await migrate(database, scope === "all" ? componentsOf(tables) : ownComponents);
    await this.#startRetention(database);
    if (scope === "all" || tables.length === 0) return;
    await database.read((db) => {
      const schemas = schemasOf(db, componentsOf(tables));
      requireCompatible(schemas, placeOf(db));
      requireUpgraded(schemas, placeOf(db));
    });
  }

  async verify(signal?: AbortSignal): Promise<void> {
    await this.file.get().write((db) => {
      for (const table of ["protean_outbox", "protean_processed"]) {
        statement(db, `UPDATE ${table} SET message_id = message_id WHERE false`).run();
      }
    }, { notify: false, signal });
  }

  override async schema(tables: readonly TableSpec[]): Promise<readonly ComponentSchema[]> {
    return await this.file.get().read((db) => schemasOf(db, componentsOf(tables)));
  }

  override async droppable(tables: readonly TableSpec[]): Promise<readonly string[]> {
    return await this.file.get().read((db) => droppable(db, componentsOf(tables)));
  }

  /** Drops the given tables and the server's own. */
  async drop(tables: readonly TableSpec[]): Promise<void> {
    await this.file.get().write((db) => dropComponents(db, componentsOf(tables)));
  }

  /** Empties the given tables, outbox and marks. */
  async truncate(tables: readonly TableSpec[]): Promise<void> {
    await this.file.get().write((db) => truncateTables(db, tables.map(({ name }) => name)));
  }

  session(options: SessionOptions = {}): ProviderSession {
    return new SqliteSession(this.file.get(), this.options.clock, options, this.#retention);
  }

  override async lock(name: string, options?: LockOptions): Promise<Lock | undefined> {
    return await this.#locks.lock(name, options);
  }

  async cleanMarks(before: number, limit: number): Promise<number> {
    return await this.file.get().write((db) => {
      const cutOff = this.#retention.cutOff(before, () => epochOf(markTimes(db).first));
      return deleteMarks(db, new Date(cutOff).toISOString(), limit);
    }, { notify: false });
  }

  async #startRetention(database: SqliteDatabase): Promise<void> {
    if (this.#retentionStarted) return;
    this.#retentionStarted = true;
    const last = await database.read((db) => [markTimes(db).last, lastProcessed(db)]);
    const times = last.map(epochOf).filter((time) => time !== undefined);
    this.#retention.startsAfter(times.length > 0 ? Math.max(...times) : undefined);
  }
}

/** Epoch ms of an ISO time. */
function epochOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

function componentsOf(tables: readonly TableSpec[]): readonly SqliteComponent[] {
  return [...ownComponents, ...tables.map(({ name }) => rowComponent(name))];
}
