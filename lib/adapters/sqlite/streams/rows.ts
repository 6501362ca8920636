/**
 * Streams and their entries as rows. Every function runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { textOfBytes } from "../../../message/bytes.ts";
import type { StreamEntry } from "../../ports.ts";
import { formatStreamId, nextStreamId, type StreamId } from "../../stream_id.ts";
import { asArrays } from "../file/older_runtime.ts";
import { statement } from "../file/statements.ts";

export interface StreamRow {
  readonly id: number;
  readonly last_ms: number;
  readonly last_n: number;
  /** Entries it holds. */
  readonly length: number;
}

/** `[ms, n, data]`. */
export type EntryRow = readonly [ms: number, n: number, data: string | Uint8Array];

const FIND = "SELECT id, last_ms, last_n, length FROM protean_stream WHERE name = ?";
const CREATE = "INSERT INTO protean_stream (name) VALUES (?)";
const INSERT = "INSERT INTO protean_stream_entry (stream, ms, n, data) VALUES (?, ?, ?, ?)";
const GROW = `UPDATE protean_stream
  SET last_ms = ?, last_n = ?, length = length + ?, added = added + ? WHERE id = ?`;
const SELECT_AFTER = `SELECT ms, n, data FROM protean_stream_entry
  WHERE stream = ? AND (ms, n) > (?, ?) ORDER BY ms, n LIMIT ?`;
const SELECT_BEFORE = `SELECT ms, n, data FROM protean_stream_entry
  WHERE stream = ? AND (ms, n) < (?, ?) ORDER BY ms DESC, n DESC LIMIT ?`;
const SELECT_ONE = "SELECT ms, n, data FROM protean_stream_entry WHERE stream = ? AND ms = ? AND n = ?";
const EXISTS = "SELECT 1 FROM protean_stream_entry WHERE stream = ? AND ms = ? AND n = ?";
const DELETE_ONE = "DELETE FROM protean_stream_entry WHERE stream = ? AND ms = ? AND n = ?";
const SHRINK = "UPDATE protean_stream SET length = length - ? WHERE id = ?";
const PASS = `UPDATE protean_stream_group SET passed = passed + 1
  WHERE stream = ? AND (last_ms, last_n) < (?, ?)`;

export function findStream(db: DatabaseSync, name: string): StreamRow | undefined {
  return statement(db, FIND).get(name) as StreamRow | undefined;
}

/** The stream, created where missing. */
export function openStream(db: DatabaseSync, name: string): StreamRow {
  const found = findStream(db, name);
  if (found) return found;
  const { lastInsertRowid } = statement(db, CREATE).run(name);
  return { id: Number(lastInsertRowid), last_ms: 0, last_n: 0, length: 0 };
}

/**
 * Appends in order to streams that are created where missing; returns the ids. `now`: milliseconds since the
 * epoch.
 */
export function append(
  db: DatabaseSync,
  entries: readonly { readonly stream: string; readonly data: string }[],
  now: number,
): readonly string[] {
  const insert = statement(db, INSERT);
  const tails = new Map<string, { readonly id: number; last: StreamId; added: number }>();
  const ids = entries.map(({ stream, data }) => {
    let tail = tails.get(stream);
    if (!tail) {
      const row = openStream(db, stream);
      tail = { id: row.id, last: { ms: row.last_ms, n: row.last_n }, added: 0 };
      tails.set(stream, tail);
    }
    tail.last = nextStreamId(tail.last, now);
    tail.added++;
    insert.run(tail.id, tail.last.ms, tail.last.n, stored(data));
    return formatStreamId(tail.last);
  });
  for (const { id, last, added } of tails.values()) {
    statement(db, GROW).run(last.ms, last.n, added, added, id);
  }
  return ids;
}

/** Entries after `after`, in order. */
export function entriesAfter(
  db: DatabaseSync,
  stream: number,
  after: StreamId,
  limit: number,
): readonly EntryRow[] {
  return asArrays<EntryRow>(statement(db, SELECT_AFTER)).all(stream, after.ms, after.n, limit);
}

/** Entries before `before`, the newest first. */
export function entriesBefore(
  db: DatabaseSync,
  stream: number,
  before: StreamId,
  limit: number,
): readonly EntryRow[] {
  return asArrays<EntryRow>(statement(db, SELECT_BEFORE)).all(stream, before.ms, before.n, limit);
}

export function findEntry(db: DatabaseSync, stream: number, id: StreamId): EntryRow | undefined {
  const [row] = asArrays<EntryRow>(statement(db, SELECT_ONE)).all(stream, id.ms, id.n);
  return row;
}

/** True if the stream still holds the entry; reads no payload. */
export function holdsEntry(db: DatabaseSync, stream: number, id: StreamId): boolean {
  return statement(db, EXISTS).get(stream, id.ms, id.n) !== undefined;
}

/** True if it was there. Groups that have not read it have one less to read. */
export function removeEntry(db: DatabaseSync, stream: number, id: StreamId): boolean {
  if (statement(db, DELETE_ONE).run(stream, id.ms, id.n).changes === 0) return false;
  statement(db, SHRINK).run(1, stream);
  statement(db, PASS).run(stream, id.ms, id.n);
  return true;
}

/** The row as the port has it. */
export function entryOf([ms, n, data]: EntryRow): StreamEntry {
  return { id: `${ms}-${n}`, data: typeof data === "string" ? data : textOfBytes(data) };
}

/** The driver reads text up to its first NUL: such a text is kept as bytes. */
function stored(data: string): string | Uint8Array {
  return data.includes("\0") ? new TextEncoder().encode(data) : data;
}
