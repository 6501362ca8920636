/**
 * The table of the event store, as Message DB has it (wire 4.2): one row a message, positions without gaps
 * within a stream, global positions in the order of commits.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { categoryOf } from "../../../message/names.ts";
import type { EventAppend, ReadEventsOptions, StoredEvent } from "../../ports.ts";
import { checkStreamEnd, kindOfStream, storedMetadata, within } from "../../stored_event.ts";
import { component } from "../file/migrate.ts";
import { creation } from "../../migrations.ts";
import { rowsOf } from "../file/older_runtime.ts";
import { statement } from "../file/statements.ts";

const COLUMNS = "global_position, position, stream_name, type, data, metadata, time";

export const eventComponent = component({
  name: "events",
  columns: { messages: ["global_position", "position", "stream_name", "category", "metadata"] },
  steps: [creation(`CREATE TABLE messages (
  global_position integer PRIMARY KEY AUTOINCREMENT,
  position integer NOT NULL,
  time text NOT NULL,
  stream_name text NOT NULL,
  category text NOT NULL,
  type text NOT NULL,
  id text NOT NULL,
  data text NOT NULL,
  metadata text,
  UNIQUE (stream_name, position)
)`)],
  indexes: { messages_category: "CREATE INDEX messages_category ON messages (category, global_position)" },
});

/**
 * Appends inside the transaction, in order; returns the positions. Throws `ExpectedVersionError`. `now` is
 * ISO 8601 text.
 */
export function appendEvents(
  db: DatabaseSync,
  events: readonly EventAppend[],
  now: string,
): readonly number[] {
  return events.map((event) => {
    const end = endOf(db, event.stream);
    checkStreamEnd(event, end);
    statement(
      db,
      "INSERT INTO messages (position, time, stream_name, category, type, id, data, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ).run(
      end + 1,
      now,
      event.stream,
      categoryOf(event.stream),
      event.type,
      crypto.randomUUID(),
      event.data,
      storedMetadata(event, end),
    );
    return end + 1;
  });
}

/** One stream by position, or a category or `$all` by global position; inclusive `from`. */
export function readEvents(
  db: DatabaseSync,
  name: string,
  { from = 0, limit, maxSize }: ReadEventsOptions,
): readonly StoredEvent[] {
  const { where, by, values } = selection(name);
  const sql = `SELECT ${COLUMNS} FROM messages WHERE ${where} AND ${by} >= ? ORDER BY ${by} LIMIT ?`;
  return within(eventsOf(rowsOf(statement(db, sql), ...values, from, limit)), maxSize);
}

/** The last message of a stream, a category or `$all`. */
export function lastEvent(db: DatabaseSync, name: string): StoredEvent | undefined {
  const { where, by, values } = selection(name);
  const row = statement(db, `SELECT ${COLUMNS} FROM messages WHERE ${where} ORDER BY ${by} DESC LIMIT 1`)
    .get(...values);
  return row && asEvent(row);
}

/** The position of the stream's last message, or -1. */
function endOf(db: DatabaseSync, stream: string): number {
  const row = statement(db, "SELECT max(position) AS end FROM messages WHERE stream_name = ?").get(stream);
  return row?.end === null || row === undefined ? -1 : Number(row.end);
}

function selection(name: string): { where: string; by: string; values: string[] } {
  switch (kindOfStream(name)) {
    case "all":
      return { where: "true", by: "global_position", values: [] };
    case "stream":
      return { where: "stream_name = ?", by: "position", values: [name] };
    case "category":
      return { where: "category = ?", by: "global_position", values: [name] };
  }
}

function* eventsOf(rows: Iterable<Record<string, unknown>>): Generator<StoredEvent> {
  for (const row of rows) yield asEvent(row);
}

function asEvent(row: Record<string, unknown>): StoredEvent {
  return {
    globalPosition: Number(row.global_position),
    position: Number(row.position),
    stream: String(row.stream_name),
    type: String(row.type),
    data: String(row.data),
    metadata: row.metadata === null ? "null" : String(row.metadata),
    time: Date.parse(String(row.time)),
  };
}
