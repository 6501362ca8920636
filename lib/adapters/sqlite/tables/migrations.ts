/**
 * Versions of the tables of a provider's file (delivery 17, wire 3.2). Times are ISO 8601 text in UTC, which
 * sorts as time does.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { component, isTable, quoted, type SqliteComponent } from "../file/migrate.ts";
import { creation } from "../../migrations.ts";
import { lockComponent } from "../locks.ts";
import { prepare } from "../file/older_runtime.ts";

/**
 * The outbox has the columns of wire 3.2, `seq` (the order of commits) and `shard` (delivery 9). `id` is
 * `seq` as text: virtual, so that it costs nothing. Payload and metadata come last: short columns are then
 * found without reading them.
 *
 * The partial indexes keep the poll, the retries and the cleanup fast however many published rows are kept
 * (OBX-5).
 */
const outbox = component({
  name: "outbox",
  columns: { protean_outbox: ["seq", "shard", "message_id", "target_broker", "metadata_"] },
  steps: [creation(`CREATE TABLE protean_outbox (
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
)`)],
  indexes: {
    protean_outbox_active:
      `CREATE INDEX protean_outbox_active ON protean_outbox (target_broker, shard, seq, status) WHERE status IN ('pending', 'processing', 'failed')`,
    protean_outbox_failed:
      `CREATE INDEX protean_outbox_failed ON protean_outbox (target_broker, stream_name, seq, next_retry_at) WHERE status = 'failed'`,
    protean_outbox_done:
      `CREATE INDEX protean_outbox_done ON protean_outbox (status, last_processed_at) WHERE status IN ('published', 'abandoned')`,
  },
});

/**
 * Who holds which shard of which broker's rows: a process, until it lets go, dies, or stays silent for too
 * long. Version 0.1.0 writes rows by position, so another column would stop it.
 */
const leases = component({
  name: "outbox_lease",
  columns: { protean_outbox_lease: ["holder", "refreshed_at"] },
  steps: [creation(`CREATE TABLE protean_outbox_lease (
  target_broker text NOT NULL,
  shard integer NOT NULL,
  holder text NOT NULL,
  pid integer NOT NULL,
  started_at text NOT NULL,
  refreshed_at integer NOT NULL,
  PRIMARY KEY (target_broker, shard)
) WITHOUT ROWID`)],
});

/**
 * Rows come in the order of their time, so the oldest are found by rowid and no index on the time is needed.
 */
const marks = component({
  name: "marks",
  columns: { protean_processed: ["mark", "handler", "type", "message_id", "processed_at"] },
  steps: [
    creation(`CREATE TABLE protean_processed (
  mark integer PRIMARY KEY AUTOINCREMENT,
  handler text NOT NULL,
  type text NOT NULL,
  message_id text NOT NULL,
  processed_at text NOT NULL,
  UNIQUE (handler, type, message_id)
)`),
    {
      // To tell a message from another one that has come by its id (D24): null where it was not kept.
      title: "add the column checksum",
      additive: true,
      adds: "checksum",
      statements: ["ALTER TABLE protean_processed ADD COLUMN checksum text"],
    },
  ],
});

/** What every provider's file has. */
export const ownComponents: readonly SqliteComponent[] = [outbox, leases, marks, lockComponent];

/**
 * The table of an aggregate or a view. Version 0.1.0 writes rows by position, so another column would stop
 * it.
 */
export function rowComponent(name: string): SqliteComponent {
  return component({
    name,
    columns: { [name]: ["id", "version", "state", "created_at", "updated_at"] },
    steps: [creation(`CREATE TABLE ${quoted(name)} (
  id text NOT NULL PRIMARY KEY, version integer NOT NULL, state text NOT NULL,
  created_at text NOT NULL, updated_at text NOT NULL)`)],
  });
}

/** Empties outbox, marks and the tables given, those that exist. */
export function truncateTables(db: DatabaseSync, names: readonly string[]): void {
  for (const name of [...names, ...[outbox, leases, marks].flatMap(({ tables }) => tables)]) {
    if (isTable(db, name)) prepare(db, `DELETE FROM ${quoted(name)}`).run();
  }
}
