/**
 * What the letters of queues of the SQLite broker failed of, as rows beside the streams. Functions that take a
 * database run inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { turn } from "../../../async/turn.ts";
import { type FailureBook, lower, MOST_NOTES, raise } from "../../failure_book.ts";
import { creation } from "../../migrations.ts";
import type { FailureCount, FailureFigures, FailureGroups } from "../../ports.ts";
import { END_ID, parseStreamId, type StreamId, ZERO_ID } from "../../stream_id.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { component } from "../file/migrate.ts";
import { statement } from "../file/statements.ts";
import {
  append,
  entryOf,
  type EntryRow,
  findEntry,
  findStream,
  removeEntry,
  type StreamRow,
} from "./rows.ts";
import { pageOf } from "./texts.ts";

/** By the name of the queue: notes outlive it. */
export const failureComponent = component({
  name: "dead_letter_groups",
  columns: {
    protean_dead_letter_group: ["stream", "fingerprint", "count", "first", "last"],
    protean_dead_letter_counted: ["stream", "ms", "n", "total"],
    protean_dead_letter_note: ["stream", "fingerprint", "note"],
  },
  steps: [creation(
    `CREATE TABLE protean_dead_letter_group (
  stream text NOT NULL,
  fingerprint text NOT NULL,
  handler text NOT NULL,
  named integer NOT NULL,
  error_type text NOT NULL,
  type text NOT NULL,
  count integer NOT NULL,
  first integer NOT NULL,
  last integer NOT NULL,
  PRIMARY KEY (stream, fingerprint)
) WITHOUT ROWID, STRICT`,
    `CREATE TABLE protean_dead_letter_counted (
  stream text NOT NULL PRIMARY KEY,
  ms integer NOT NULL,
  n integer NOT NULL,
  total integer NOT NULL
) WITHOUT ROWID, STRICT`,
    `CREATE TABLE protean_dead_letter_note (
  stream text NOT NULL,
  fingerprint text NOT NULL,
  note text NOT NULL,
  PRIMARY KEY (stream, fingerprint)
) WITHOUT ROWID, STRICT`,
  )],
});

const COLUMNS = "fingerprint, handler, named, error_type, type, count, first, last";
const FIND = `SELECT ${COLUMNS} FROM protean_dead_letter_group WHERE stream = ? AND fingerprint = ?`;
const ALL = `SELECT ${COLUMNS} FROM protean_dead_letter_group WHERE stream = ?`;
const PUT = `INSERT INTO protean_dead_letter_group (stream, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (stream, fingerprint)
  DO UPDATE SET count = excluded.count, first = excluded.first, last = excluded.last`;
const DROP = "DELETE FROM protean_dead_letter_group WHERE stream = ? AND fingerprint = ?";
const SIZE = "SELECT count(*) AS size FROM protean_dead_letter_group WHERE stream = ?";
const UPTO = "SELECT ms, n, total FROM protean_dead_letter_counted WHERE stream = ?";
const SET_UPTO = `INSERT INTO protean_dead_letter_counted (stream, ms, n, total) VALUES (?, ?, ?, ?)
  ON CONFLICT (stream) DO UPDATE SET ms = excluded.ms, n = excluded.n, total = excluded.total`;
const FORGET = "DELETE FROM protean_dead_letter_group WHERE stream = ?";
const FORGET_UPTO = "DELETE FROM protean_dead_letter_counted WHERE stream = ?";
const NOTES = "SELECT fingerprint, note FROM protean_dead_letter_note WHERE stream = ?";
const PUT_NOTE = `INSERT INTO protean_dead_letter_note (stream, fingerprint, note) VALUES (?, ?, ?)
  ON CONFLICT (stream, fingerprint) DO UPDATE SET note = excluded.note`;
const DROP_NOTE = "DELETE FROM protean_dead_letter_note WHERE stream = ? AND fingerprint = ?";

/** Letters that one transaction counts or trims, and bytes of their texts. */
export const COUNT_STEP = 200;
export const COUNT_BYTES = 4 * 1024 * 1024;
/** Characters that are kept of a name: there may be a thousand groups. */
const LONGEST = 256;

/** Reads each row once, and writes what has changed when it is closed: in one transaction many letters are counted. */
class SqliteFailureBook implements FailureBook {
  upto: FailureBook["upto"];
  readonly #seen = new Map<string, FailureCount | undefined>();
  #size: number | undefined;
  #changed = false;

  constructor(private readonly db: DatabaseSync, private readonly stream: string) {
    const row = statement(db, UPTO).get(stream);
    this.upto = row
      ? { id: { ms: Number(row.ms), n: Number(row.n) }, total: Number(row.total) }
      : { id: ZERO_ID, total: 0 };
  }

  get size(): number {
    return this.#size ??= Number(statement(this.db, SIZE).get(this.stream)?.size);
  }

  find(fingerprint: string): FailureCount | undefined {
    if (!this.#seen.has(fingerprint)) {
      const row = statement(this.db, FIND).get(this.stream, fingerprint);
      this.#seen.set(fingerprint, row && countOf(row));
    }
    return this.#seen.get(fingerprint);
  }

  put(group: FailureCount): void {
    if (!this.find(group.fingerprint)) this.#size = this.size + 1;
    this.#seen.set(group.fingerprint, group);
    this.#changed = true;
  }

  drop(fingerprint: string): void {
    if (this.find(fingerprint)) this.#size = this.size - 1;
    this.#seen.set(fingerprint, undefined);
    this.#changed = true;
  }

  close(): void {
    if (!this.#changed) return;
    for (const [fingerprint, group] of this.#seen) {
      if (group) this.#write(group);
      else statement(this.db, DROP).run(this.stream, fingerprint);
    }
    const { id, total } = this.upto;
    statement(this.db, SET_UPTO).run(this.stream, id.ms, id.n, total);
  }

  #write({ fingerprint, handler, named, errorType, type, count, first, last }: FailureCount): void {
    const names = [errorType, type].map((name) => stored(name));
    statement(this.db, PUT).run(
      ...[this.stream, fingerprint, stored(handler), named ? 1 : 0, ...names, count, first, last],
    );
  }
}

/** Puts a dead letter at the end of its queue; it is counted unless others before it are not. */
export function bury(
  db: DatabaseSync,
  letter: { readonly stream: string; readonly data: string },
  now: number,
) {
  const book = new SqliteFailureBook(db, letter.stream);
  const row = findStream(db, letter.stream);
  const isAtEnd = !row ||
    pageOf(db, row.id, { from: book.upto.id, count: 1 }, { maxEntryBytes: 1 }).length === 0;
  const [id = ""] = append(db, [letter], now);
  const key = parseStreamId(id);
  if (isAtEnd && key) raise(book, key, letter.data);
  book.close();
}

/** Removes a dead letter; true if it was there. It is counted no longer. */
export function unbury(db: DatabaseSync, stream: string, row: StreamRow, id: StreamId): boolean {
  const entry = findEntry(db, row.id, id);
  if (!entry || !removeEntry(db, row.id, id)) return false;
  lowerAll(db, stream, [entry]);
  return true;
}

/** These letters are gone. */
export function lowerAll(db: DatabaseSync, stream: string, entries: readonly EntryRow[]): void {
  const book = new SqliteFailureBook(db, stream);
  for (const entry of entries) lower(book, { ms: entry[0], n: entry[1] }, entryOf(entry).data);
  book.close();
}

/** Nothing of the queue is counted. Notes stay. */
export function forgetCounts(db: DatabaseSync, stream: string): void {
  for (const sql of [FORGET, FORGET_UPTO]) statement(db, sql).run(stream);
}

export class SqliteFailureGroups implements FailureGroups {
  constructor(private readonly database: DatabaseFile) {}

  async figures(stream: string): Promise<FailureFigures> {
    return await this.database.read((db) => {
      const row = findStream(db, stream);
      const end = (from: StreamId, backwards: boolean) =>
        row && pageOf(db, row.id, { from, count: 1, backwards }, { maxEntryBytes: 1 })[0]?.[0];
      return {
        depth: row?.length ?? 0,
        oldest: end(ZERO_ID, false),
        newest: end(END_ID, true),
        counted: new SqliteFailureBook(db, stream).upto.total,
        groups: statement(db, ALL).all(stream).map(countOf),
        notes: notesOf(db, stream),
      };
    });
  }

  async countOn(stream: string, limit: number, signal?: AbortSignal): Promise<number> {
    let counted = 0;
    for (let again = 0; counted < limit && again < 2 && !signal?.aborted;) {
      const most = Math.min(COUNT_STEP, limit - counted);
      // Whoever only looks takes no turn at writing.
      if (await this.database.read((db) => isCounted(db, stream))) break;
      const some = await this.database.write((db) => countSome(db, stream, most), { notify: false });
      counted += some;
      if (some === 0) again++;
      await turn();
    }
    return counted;
  }

  async note(stream: string, fingerprint: string, text: string): ReturnType<FailureGroups["note"]> {
    return await this.database.write((db) => {
      const notes = notesOf(db, stream);
      const known = notes.has(fingerprint);
      if (!known && !new SqliteFailureBook(db, stream).find(fingerprint)) return "unknown";
      if (!known && text !== "" && notes.size >= MOST_NOTES) return "full";
      if (text === "") statement(db, DROP_NOTE).run(stream, fingerprint);
      else statement(db, PUT_NOTE).run(stream, fingerprint, text);
      return "kept";
    }, { durable: true });
  }
}

/** All letters are counted, and nothing else. */
function isCounted(db: DatabaseSync, stream: string): boolean {
  const row = findStream(db, stream);
  const { id, total } = new SqliteFailureBook(db, stream).upto;
  if (total !== (row?.length ?? 0)) return false;
  return !row || pageOf(db, row.id, { from: id, count: 1 }, { maxEntryBytes: 1 }).length === 0;
}

/** Returns how many; with 0 it has forgotten all, unless they agree. */
function countSome(db: DatabaseSync, stream: string, most: number): number {
  const row = findStream(db, stream);
  const book = new SqliteFailureBook(db, stream);
  const { id, total } = book.upto;
  const found = row ? pageOf(db, row.id, { from: id, count: most }, { maxBytes: COUNT_BYTES }) : [];
  for (const entry of found) raise(book, { ms: entry[0], n: entry[1] }, entryOf(entry).data);
  book.close();
  if (found.length === 0 && total !== (row?.length ?? 0)) forgetCounts(db, stream);
  return found.length;
}

function notesOf(db: DatabaseSync, stream: string): ReadonlyMap<string, string> {
  const rows = statement(db, NOTES).all(stream);
  return new Map(rows.map(({ fingerprint, note }) => [String(fingerprint), String(note)]));
}

function countOf(row: Readonly<Record<string, unknown>>): FailureCount {
  return {
    fingerprint: String(row["fingerprint"]),
    handler: String(row["handler"]),
    named: row["named"] === 1,
    errorType: String(row["error_type"]),
    type: String(row["type"]),
    count: Number(row["count"]),
    first: Number(row["first"]),
    last: Number(row["last"]),
  };
}

/** The driver reads text up to its first NUL. */
function stored(name: string): string {
  return name.slice(0, LONGEST).replaceAll("\0", "\uFFFD").toWellFormed();
}
