/**
 * Entries by the size of their texts, which is known before they are read. Functions that take a database run
 * inside the caller's transaction.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { DatabaseSync } from "node:sqlite";
import { entryText, TextBudget } from "../../entry_text.ts";
import type { StreamEntry, TextLimits } from "../../ports.ts";
import { formatStreamId, type StreamId } from "../../stream_id.ts";
import { asArrays } from "../file/older_runtime.ts";
import { statement } from "../file/statements.ts";
import { entriesAfter, entriesBefore, entryOf, type EntryRow, findEntry } from "./rows.ts";

const SIZES_AFTER = `SELECT ms, n, octet_length(data) AS bytes FROM protean_stream_entry
  WHERE stream = ? AND (ms, n) > (?, ?) ORDER BY ms, n LIMIT ?`;
const SIZES_BEFORE = `SELECT ms, n, octet_length(data) AS bytes FROM protean_stream_entry
  WHERE stream = ? AND (ms, n) < (?, ?) ORDER BY ms DESC, n DESC LIMIT ?`;
const SIZE = `SELECT octet_length(data) AS bytes FROM protean_stream_entry
  WHERE stream = ? AND ms = ? AND n = ?`;
const BYTES = `SELECT CAST(data AS blob) AS bytes FROM protean_stream_entry
  WHERE stream = ? AND ms = ? AND n = ?`;

/** An entry as it was read, its text perhaps left out. */
export type FoundRow = EntryRow | { readonly id: StreamId; readonly omitted: number };

/** Up to `count` entries after or before `from`; fewer where the limits end the page. */
export function pageOf(
  db: DatabaseSync,
  stream: number,
  page: { readonly from: StreamId; readonly count: number; readonly backwards?: boolean },
  limits: TextLimits,
): readonly EntryRow[] {
  const { from, count, backwards = false } = page;
  const read = backwards ? entriesBefore : entriesAfter;
  if (limits.maxBytes === undefined && limits.maxEntryBytes === undefined) {
    return read(db, stream, from, count);
  }
  const budget = new TextBudget(limits);
  const sizes = asArrays<readonly [ms: number, n: number, bytes: number]>(
    statement(db, backwards ? SIZES_BEFORE : SIZES_AFTER),
  ).all(stream, from.ms, from.n, count);
  const end = sizes.findIndex(([, , bytes]) => !budget.takes(bytes));
  const chosen = end < 0 ? sizes : sizes.slice(0, end);
  if (!chosen.some(([, , bytes]) => budget.isTooLarge(bytes))) return read(db, stream, from, chosen.length);
  return chosen.flatMap(([ms, n, bytes]) => {
    const row = budget.isTooLarge(bytes) ? asBytes(db, stream, { ms, n }) : findEntry(db, stream, { ms, n });
    return row ? [row] : [];
  });
}

/** One entry; undefined when the stream does not hold it. */
export function findWithin(
  db: DatabaseSync,
  stream: number,
  id: StreamId,
  budget: TextBudget,
): FoundRow | undefined {
  const found = statement(db, SIZE).get(stream, id.ms, id.n);
  if (!found) return undefined;
  const bytes = Number(found["bytes"]);
  if (!budget.takes(bytes)) return { id, omitted: bytes };
  return budget.isTooLarge(bytes) ? asBytes(db, stream, id) : findEntry(db, stream, id);
}

/** The rows as the port has them. Too large a text is hashed, others' work going on meanwhile. */
export async function entriesIn(
  rows: readonly FoundRow[],
  maxEntryBytes: number | undefined,
): Promise<readonly StreamEntry[]> {
  return await Promise.all(rows.map((row) => entryIn(row, maxEntryBytes)));
}

/** One of them. */
export function entryIn(
  row: FoundRow,
  maxEntryBytes: number | undefined,
): StreamEntry | Promise<StreamEntry> {
  if ("omitted" in row) return { id: formatStreamId(row.id), data: undefined, omitted: row.omitted };
  const [ms, n, data] = row;
  if (typeof data === "string" || data.length <= (maxEntryBytes ?? Infinity)) return entryOf(row);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const text = entryText(bytes, new TextBudget({ maxEntryBytes }));
  const id = `${ms}-${n}`;
  return Promise.resolve(text).then((found) =>
    typeof found === "string" ? { id, data: found } : { id, ...found }
  );
}

/** As bytes, which the engine's heap does not hold. */
function asBytes(db: DatabaseSync, stream: number, { ms, n }: StreamId): EntryRow | undefined {
  const found = statement(db, BYTES).get(stream, ms, n);
  return found && [ms, n, found["bytes"] as Uint8Array];
}
