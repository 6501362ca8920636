/**
 * Tables of the stream broker. Times are wall-clock milliseconds, because several processes share them.
 *
 * Entries are a rowid table with an index, not one without rowid: payloads of more than a kilobyte would
 * spill into overflow pages there (three times slower, twice the size). `length`, `added` and `passed` spare
 * the counting of rows: a group's lag is what was ever added less what it has passed.
 *
 * @module
 */
import { component } from "../file/migrate.ts";
import { creation } from "../../migrations.ts";

/**
 * A stream without a name was dropped; its entries are on their way out. Version 0.1.0 writes pending rows by
 * position.
 */
export const streamComponent = component({
  name: "streams",
  columns: {
    protean_stream: ["name", "last_ms", "last_n", "length", "added"],
    protean_stream_entry: ["seq", "stream", "ms", "n", "data"],
    protean_stream_group: ["stream", "name", "last_ms", "last_n", "passed"],
    protean_stream_consumer: ["grp", "name", "pid", "started_at", "seen_at"],
    protean_stream_pending: ["grp", "ms", "n", "consumer", "at", "count"],
  },
  steps: [creation(
    `CREATE TABLE protean_stream (
  id integer PRIMARY KEY AUTOINCREMENT,
  name text UNIQUE,
  last_ms integer NOT NULL DEFAULT 0,
  last_n integer NOT NULL DEFAULT 0,
  length integer NOT NULL DEFAULT 0,
  added integer NOT NULL DEFAULT 0
) STRICT`,
    `CREATE TABLE protean_stream_entry (
  seq integer PRIMARY KEY,
  stream integer NOT NULL,
  ms integer NOT NULL,
  n integer NOT NULL,
  data any NOT NULL
) STRICT`,
    `CREATE TABLE protean_stream_group (
  id integer PRIMARY KEY AUTOINCREMENT,
  stream integer NOT NULL,
  name text NOT NULL,
  last_ms integer NOT NULL DEFAULT 0,
  last_n integer NOT NULL DEFAULT 0,
  passed integer NOT NULL,
  UNIQUE (stream, name)
) STRICT`,
    `CREATE TABLE protean_stream_consumer (
  id integer PRIMARY KEY AUTOINCREMENT,
  grp integer NOT NULL,
  name text NOT NULL,
  pid integer NOT NULL,
  started_at text NOT NULL,
  seen_at integer NOT NULL,
  UNIQUE (grp, name)
) STRICT`,
    `CREATE TABLE protean_stream_pending (
  grp integer NOT NULL,
  ms integer NOT NULL,
  n integer NOT NULL,
  consumer integer NOT NULL,
  at integer NOT NULL,
  count integer NOT NULL,
  PRIMARY KEY (grp, ms, n)
) WITHOUT ROWID, STRICT`,
    "CREATE UNIQUE INDEX protean_stream_entry_id ON protean_stream_entry (stream, ms, n)",
  )],
});
