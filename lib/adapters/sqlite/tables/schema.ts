/**
 * Tables of a provider's file (delivery 17, wire 3.2). Times are ISO 8601 text in UTC, which sorts as time does.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { ConfigurationError } from "../../../errors.ts";
import { fileOf } from "../file/older_runtime.ts";

/**
 * The outbox has the columns of wire 3.2, `seq` (the order of commits) and `shard` (delivery 9). `id` is `seq` as text:
 * virtual, so that it costs nothing. Payload and metadata come last: short columns are then found without reading them.
 *
 * The partial indexes keep the poll, the retries and the cleanup fast however many published rows are kept (OBX-5).
 */
const OUTBOX = `
CREATE TABLE IF NOT EXISTS protean_outbox (
  seq integer PRIMARY KEY AUTOINCREMENT,
  id text GENERATED ALWAYS AS (CAST(seq AS text)) VIRTUAL,
  message_id text NOT NULL,
  stream_name text NOT NULL,
  type text NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  shard integer NOT NULL,
  target_broker text NOT NULL,
  priority integer NOT NULL DEFAULT 0,
  retry_count integer NOT NULL DEFAULT 0,
  max_retries integer NOT NULL DEFAULT 3,
  next_retry_at text,
  created_at text NOT NULL,
  published_at text,
  last_processed_at text,
  locked_by text,
  locked_until text,
  sequence_number integer,
  correlation_id text,
  causation_id text,
  partition_key text,
  _version integer NOT NULL DEFAULT 0,
  last_error text,
  data text NOT NULL,
  metadata_ text NOT NULL,
  CONSTRAINT uq_outbox_message_id_target_broker UNIQUE (message_id, target_broker)
);
CREATE INDEX IF NOT EXISTS protean_outbox_active ON protean_outbox (target_broker, shard, seq, status)
  WHERE status IN ('pending', 'processing', 'failed');
CREATE INDEX IF NOT EXISTS protean_outbox_failed ON protean_outbox (target_broker, stream_name, seq, next_retry_at)
  WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS protean_outbox_done ON protean_outbox (status, last_processed_at)
  WHERE status IN ('published', 'abandoned');`;

/** Who holds which shard of which broker's rows: a process, until it lets go, dies, or stays silent for too long. */
const LEASES = `
CREATE TABLE IF NOT EXISTS protean_outbox_lease (
  target_broker text NOT NULL,
  shard integer NOT NULL,
  holder text NOT NULL,
  pid integer NOT NULL,
  started_at text NOT NULL,
  refreshed_at integer NOT NULL,
  PRIMARY KEY (target_broker, shard)
) WITHOUT ROWID;`;

/** Rows come in the order of their time, so the oldest are found by rowid and no index on the time is needed. */
const MARKS = `
CREATE TABLE IF NOT EXISTS protean_processed (
  mark integer PRIMARY KEY AUTOINCREMENT,
  handler text NOT NULL,
  type text NOT NULL,
  message_id text NOT NULL,
  processed_at text NOT NULL,
  UNIQUE (handler, type, message_id)
);`;

/** Names of the tables that every provider has, with the columns that tell ours from somebody else's. */
const OWN: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ["protean_outbox", ["seq", "shard", "message_id", "target_broker", "metadata_"]],
  ["protean_outbox_lease", ["holder", "refreshed_at"]],
  ["protean_processed", ["mark", "handler", "type", "message_id", "processed_at"]],
];
const ROW_COLUMNS = ["id", "version", "state", "created_at", "updated_at"];

/** An identifier in SQL text. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Creates outbox and marks where missing. Throws `ConfigurationError` when other tables have their names. */
export function createOwnTables(db: DatabaseSync): void {
  for (const sql of [OUTBOX, LEASES, MARKS].flatMap((script) => script.split(/;\s*/))) {
    if (sql.trim() !== "") db.prepare(sql).run();
  }
  for (const [table, columns] of OWN) requireColumns(db, table, columns);
}

/** Creates the table of an aggregate or a view where missing. */
export function createRowTable(db: DatabaseSync, name: string): void {
  db.prepare(
    `CREATE TABLE IF NOT EXISTS ${quoted(name)} (
      id text NOT NULL PRIMARY KEY, version integer NOT NULL, state text NOT NULL,
      created_at text NOT NULL, updated_at text NOT NULL)`,
  ).run();
  requireColumns(db, name, ROW_COLUMNS);
}

/** Removes tables, and with them what is in them; those that are missing are none. */
export function dropTables(db: DatabaseSync, names: readonly string[]): void {
  for (const name of [...names, ...ownTables()]) db.prepare(`DROP TABLE IF EXISTS ${quoted(name)}`).run();
}

/** Empties the tables that exist. */
export function truncateTables(db: DatabaseSync, names: readonly string[]): void {
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  for (const name of [...names, ...ownTables()]) {
    if (exists.get(name)) db.prepare(`DELETE FROM ${quoted(name)}`).run();
  }
}

function ownTables(): readonly string[] {
  return OWN.map(([table]) => table);
}

/** Throws `ConfigurationError` when a table of that name has other columns. */
export function requireColumns(db: DatabaseSync, table: string, columns: readonly string[]): void {
  const found = db.prepare("SELECT name FROM pragma_table_info(?)").all(table).map((row) => row.name);
  const missing = columns.filter((column) => !found.includes(column));
  if (missing.length === 0) return;
  throw new ConfigurationError(
    `The table ${table} in ${fileOf(db)} is not this server's, as it lacks ${missing.join(", ")}: ` +
      "rename it, or give the server a file of its own.",
    { code: "DATABASE_TABLE_DIFFERS" },
  );
}
