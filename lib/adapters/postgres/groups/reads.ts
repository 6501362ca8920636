/**
 * Reads of units of work that hold no transaction: those that are asked for in one turn of the event loop go as
 * one statement for each table. While one is at the server, the next one gathers: a hundred handlers at work
 * read through one connection.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { asError } from "../../../errors.ts";
import { type Mark, sessionEnded, type StoredRow } from "../../ports.ts";
import type { Connection, Row } from "../connection/connection.ts";
import type { Where } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import type { Pool } from "../connection/pool.ts";
import { exchange, type Planned } from "../connection/statement.ts";
import { markKey, markLook, markRows } from "../tables/marks.ts";
import { rowsRead, storedRow } from "../tables/row_writes.ts";

/** Rows that one statement asks for. */
const MOST_ROWS = 500;

export interface ReadParts {
  readonly where: Where;
  readonly names: Names;
  readonly pool: Pool<Connection>;
}

/** A read that somebody waits for. */
export class Read<T> {
  readonly answer: Promise<T | undefined>;
  /** Its statement was sent. */
  sent = false;
  /** Nobody waits for it any more. */
  over = false;
  readonly #settle: { resolve: (value: T | undefined) => void; reject: (reason: Error) => void };

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    this.answer = promise;
    this.#settle = { resolve, reject };
  }

  answered(value: T | undefined): void {
    this.#settle.resolve(value);
  }

  failed(error: Error): void {
    this.over = true;
    this.#settle.reject(error);
  }

  /** Whoever asked has ended. */
  abandon(): void {
    this.failed(sessionEnded());
  }
}

/** On whose behalf a statement is run, and how it is waited for. */
interface Asking {
  readonly signal?: AbortSignal | undefined;
  readonly turn?: object | undefined;
  /** Called when it is sent. */
  readonly sent?: () => void;
}

/** Runs one statement that only reads, on any connection; again where an idle one turns out to be dead. */
export async function readOnce(
  { pool, where }: ReadParts,
  statement: Planned,
  { signal, turn, sent }: Asking = {},
): Promise<readonly Row[]> {
  for (;;) {
    const { member, reused } = await pool.acquire(signal, { turn });
    sent?.();
    try {
      const [rows = []] = await exchange(member, [statement], where);
      return rows;
    } catch (error) {
      if (!reused || !member.lost) throw error;
    } finally {
      pool.release(member);
    }
  }
}

/** A mark that is taken. */
export interface Taken {
  /** As it was kept. */
  readonly checksum: unknown;
}

/** Reads of one kind, by their keys. */
class Line<T> {
  #waiting: { readonly key: string; readonly read: Read<T> }[] = [];
  #busy = false;

  constructor(
    private readonly fetch: (keys: readonly string[], sent: () => void) => Promise<ReadonlyMap<string, T>>,
  ) {}

  add(key: string): Read<T> {
    const read = new Read<T>();
    this.#waiting.push({ key, read });
    this.#later();
    return read;
  }

  #later(): void {
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() =>
      void this.#round().finally(() => {
        this.#busy = false;
        if (this.#waiting.length > 0) this.#later();
      })
    );
  }

  async #round(): Promise<void> {
    const reads = this.#waiting.splice(0, MOST_ROWS).filter(({ read }) => !read.over);
    if (reads.length === 0) return;
    const sent = () => reads.forEach(({ read }) => read.sent = true);
    try {
      const found = await this.fetch([...new Set(reads.map(({ key }) => key))], sent);
      for (const { key, read } of reads) read.answered(found.get(key));
    } catch (error) {
      for (const { read } of reads) read.failed(asError(error));
    }
  }
}

export class SharedReads {
  readonly #parts: ReadParts;
  readonly #rows = new Map<string, Line<StoredRow>>();
  readonly #marks: Line<Taken>;
  /** Those that are looked for, by their keys. */
  readonly #wanted = new Map<string, Mark>();

  constructor(parts: ReadParts) {
    this.#parts = parts;
    this.#marks = new Line((keys, sent) => this.#findMarks(keys, sent));
  }

  /** A row as it is committed; undefined: there is none. */
  row(table: string, id: string): Read<StoredRow> {
    let line = this.#rows.get(table);
    if (!line) this.#rows.set(table, line = new Line((ids, sent) => this.#findRows(table, ids, sent)));
    return line.add(id);
  }

  /** A mark that is taken; undefined: it is not. */
  mark(mark: Mark): Read<Taken> {
    const key = markKey(mark);
    this.#wanted.set(key, mark);
    return this.#marks.add(key);
  }

  async #findRows(
    table: string,
    ids: readonly string[],
    sent: () => void,
  ): Promise<ReadonlyMap<string, StoredRow>> {
    const rows = await readOnce(this.#parts, rowsRead(this.#parts.names, table, ids), { sent });
    return new Map(rows.map((row) => [String(row["id"]), storedRow(row)]));
  }

  async #findMarks(keys: readonly string[], sent: () => void): Promise<ReadonlyMap<string, Taken>> {
    const marks = keys.flatMap((key) => this.#wanted.get(key) ?? []);
    for (const key of keys) this.#wanted.delete(key);
    const rows = await readOnce(this.#parts, markLook(this.#parts.names, marks), { sent });
    return new Map([...markRows(rows)].map(([key, checksum]) => [key, { checksum }]));
  }
}
