/**
 * The tables in their first version (wire 3.2, delivery 17). They never change: what becomes of them is in
 * `migrations.ts`.
 *
 * @module
 */
import { SCHEMA_TABLE } from "../../migrations.ts";
import type { Names } from "../connection/names.ts";

export interface Column {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  /** What follows the type when the column is created. */
  readonly rest?: string;
}

export interface TableDefinition {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly constraints?: readonly string[];
  /** Storage parameters. */
  readonly storage?: string;
  readonly indexes?: readonly IndexDefinition[];
}

export interface IndexDefinition {
  readonly name: string;
  /** What follows `on <table>`. */
  readonly on: string;
}

const NOT_NULL = "not null";
const TIME = "timestamp with time zone";

/**
 * An aggregate's or a view's table. The order of ids is that of code points, whatever language the database
 * was created for.
 */
export function rowTable(name: string): TableDefinition {
  return {
    name,
    columns: [
      { name: "id", type: "text", rest: 'collate "C" primary key' },
      { name: "version", type: "integer", rest: NOT_NULL },
      { name: "state", type: "jsonb", rest: NOT_NULL },
      { name: "created_at", type: TIME, rest: NOT_NULL },
      { name: "updated_at", type: TIME, rest: NOT_NULL },
    ],
  };
}

/**
 * Idempotency marks (delivery 16). They come and go in order of time, so a summary for each range of blocks
 * finds the old ones and costs an insert nothing.
 */
export const processedTable: TableDefinition = {
  name: "protean_processed",
  columns: [
    { name: "handler", type: "text", rest: NOT_NULL },
    { name: "type", type: "text", rest: NOT_NULL },
    { name: "message_id", type: "text", rest: NOT_NULL },
    { name: "processed_at", type: TIME, rest: NOT_NULL },
  ],
  constraints: ["primary key (handler, type, message_id)"],
  indexes: [{ name: "protean_processed_age", on: "using brin (processed_at)" }],
};

/**
 * The outbox: the columns of wire 3.2, `seq` (the order of the inserts, which `id` is as text) and `shard`
 * (delivery 9).
 *
 * `seq` has no index of its own: the planner would prefer it to the poll's and read the whole history. No
 * index and no predicate of one names a column that a claim changes, so that a claim writes a row's new
 * version beside the old one and leaves the indexes alone; the free third of each page is for that.
 */
export const outboxTable: TableDefinition = {
  name: "protean_outbox",
  columns: [
    { name: "seq", type: "bigint", rest: "generated always as identity" },
    { name: "id", type: "text", rest: "generated always as (seq::text) stored" },
    { name: "message_id", type: "text", rest: NOT_NULL },
    { name: "stream_name", type: "text", rest: NOT_NULL },
    { name: "type", type: "text", rest: NOT_NULL },
    { name: "data", type: "text", rest: NOT_NULL },
    { name: "metadata_", type: "jsonb", rest: NOT_NULL },
    { name: "target_broker", type: "text", rest: NOT_NULL },
    { name: "shard", type: "smallint", rest: NOT_NULL },
    { name: "status", type: "text", rest: "not null default 'pending'" },
    { name: "priority", type: "integer", rest: "not null default 0" },
    { name: "retry_count", type: "integer", rest: "not null default 0" },
    { name: "max_retries", type: "integer", rest: "not null default 3" },
    { name: "created_at", type: TIME, rest: NOT_NULL },
    { name: "published_at", type: TIME },
    { name: "abandoned_at", type: TIME },
    { name: "next_retry_at", type: TIME },
    { name: "last_processed_at", type: TIME },
    { name: "locked_by", type: "text" },
    { name: "locked_until", type: TIME },
    { name: "last_error", type: "jsonb" },
    { name: "correlation_id", type: "text" },
    { name: "causation_id", type: "text" },
    { name: "partition_key", type: "text" },
    { name: "sequence_number", type: "integer" },
    { name: "_version", type: "integer", rest: "not null default 0" },
  ],
  constraints: ["primary key (message_id, target_broker)"],
  storage: "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05",
  indexes: [
    {
      name: "protean_outbox_poll",
      on: "(target_broker, shard, seq) where published_at is null and abandoned_at is null",
    },
    { name: "protean_outbox_retry", on: "(target_broker, stream_name, seq) where next_retry_at is not null" },
    { name: "protean_outbox_abandoned", on: "(abandoned_at) where abandoned_at is not null" },
    { name: "protean_outbox_published", on: "using brin (published_at)" },
  ],
};

/** Versions of the others. Its columns may only ever become more: every older server reads it. */
export const schemaTable: TableDefinition = {
  name: SCHEMA_TABLE,
  columns: [
    { name: "component", type: "text", rest: "primary key" },
    { name: "version", type: "integer", rest: NOT_NULL },
    { name: "compatible", type: "integer", rest: NOT_NULL },
    { name: "changed_at", type: TIME, rest: NOT_NULL },
  ],
};

/** The statement that creates `table`. */
export function tableCreation(table: TableDefinition, names: Names): string {
  const { columns, constraints = [], storage } = table;
  const lines = columns.map(({ name, type, rest }) => [name, type, rest].filter(Boolean).join(" "));
  const options = storage === undefined ? "" : ` with (${storage})`;
  return `create table ${names.table(table.name)} (${[...lines, ...constraints].join(", ")})${options}`;
}

/** The statement that creates one index of `table`. */
export function indexCreation(table: TableDefinition, index: IndexDefinition, names: Names): string {
  return `create index ${index.name} on ${names.table(table.name)} ${index.on}`;
}
