/**
 * One unit of work on a SQLite file. Nothing is written before `commit`: then everything that was buffered
 * goes into one synchronous transaction. Only `ctx.sql` that writes takes the file's write transaction early
 * and holds it (delivery 14).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { joined } from "../../../async/abort.ts";
import type { Clock } from "../../../async/clock.ts";
import {
  isEmptyWriteSet,
  type Mark,
  type MarkOutcome,
  type ProviderSession,
  requireSameMessage,
  sessionEnded,
  type SessionOptions,
  type SqlRow,
  type SqlStatement,
  type StoredRow,
  type WriteSet,
} from "../../ports.ts";
import type { HeldTransaction, SqliteDatabase } from "../file/database.ts";
import type { RetentionClock } from "../../retention_clock.ts";
import { appendEvents } from "./events.ts";
import { isMarked, markOutcome, writeMark } from "./marks.ts";
import { insertOutboxRow } from "../outbox/outbox_rows.ts";
import { listRows, loadRow, loadRows, writeRow } from "./rows.ts";
import { execute, looksLikeReading, runReading, WRITES } from "./user_sql.ts";

export class SqliteSession implements ProviderSession {
  /** Aborts when the turn to write must no longer be waited for. */
  readonly #waiting = new AbortController();
  readonly #marks = new Map<string, Mark>();
  #held: HeldTransaction | undefined;
  /** Nothing is begun any more. */
  #ended = false;
  #notify = false;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly options: SessionOptions,
    private readonly retention: RetentionClock,
  ) {}

  load(table: string, id: string): Promise<StoredRow | undefined> {
    return this.#read((db) => loadRow(db, table, id));
  }

  loadMany(table: string, ids: readonly string[]): Promise<readonly StoredRow[]> {
    return this.#read((db) => loadRows(db, table, ids));
  }

  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    return this.#read((db) => listRows(db, table, options));
  }

  /** Written at the commit, whose transaction refuses a mark that another has committed meanwhile. */
  async mark(mark: Mark): Promise<boolean> {
    const mine = this.#marks.get(markKey(mark));
    if (mine) requireSameMessage(mark, mine.checksum);
    if (mine || await this.#read((db) => isMarked(db, mark))) return false;
    this.#marks.set(markKey(mark), mark);
    return true;
  }

  /** As `mark`, with one read for all. */
  async markMany(marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
    const outcomes = await this.#read((db) =>
      marks.map((mark) => markOutcome(db, mark, this.#marks.get(markKey(mark))))
    );
    marks.forEach((mark, index) => {
      if (outcomes[index] === "claimed") this.#marks.set(markKey(mark), mark);
    });
    return outcomes;
  }

  async query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    this.#assertOpen();
    if (!this.#held && looksLikeReading(statement)) {
      const rows = await this.database.read((db) => runReading(db, statement), this.options.signal);
      if (rows !== WRITES) return rows;
    }
    return inside(await this.#hold(), (db) => execute(db, statement));
  }

  async flush(writes: WriteSet): Promise<void> {
    inside(await this.#hold(), (db) => this.#write(db, writes));
  }

  async commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    this.#assertOpen();
    try {
      return { positions: await this.#commit(writes) };
    } finally {
      this.#end();
    }
  }

  rollback(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  abandon(): void {
    this.#end();
    this.#waiting.abort(sessionEnded());
  }

  #end(): void {
    this.#ended = true;
    this.#held?.rollback();
  }

  async #commit(writes: WriteSet): Promise<readonly number[]> {
    if (this.#held) {
      const positions = this.#held.run((db) => this.#writeAll(db, writes));
      this.#held.commit({ notify: this.#notify });
      return positions;
    }
    if (isEmptyWriteSet(writes) && this.#marks.size === 0) return [];
    return await this.database.write((db) => this.#writeAll(db, writes), {
      signal: this.#waiting.signal,
      notify: tellsOthers(writes),
    });
  }

  async #read<T>(work: (db: DatabaseSync) => T): Promise<T> {
    this.#assertOpen();
    return this.#held ? inside(this.#held, work) : await this.database.read(work);
  }

  /** The file's write transaction, taken if it is not held yet. */
  async #hold(): Promise<HeldTransaction> {
    this.#assertOpen();
    if (this.#held) return this.#held;
    using waiting = joined(this.#waiting.signal, this.options.signal);
    const held = await this.database.hold(waiting.signal);
    this.#held = held;
    // It may have been granted in the very turn in which it was given up.
    if (this.#ended) held.rollback();
    this.#assertOpen();
    return held;
  }

  #assertOpen(): void {
    if (this.#ended) throw sessionEnded();
  }

  #writeAll(db: DatabaseSync, writes: WriteSet): readonly number[] {
    const now = new Date(this.clock.now()).toISOString();
    const marked = new Date(this.retention.stamp()).toISOString();
    for (const mark of this.#marks.values()) writeMark(db, mark, marked);
    return this.#write(db, writes, now);
  }

  #write(
    db: DatabaseSync,
    writes: WriteSet,
    now = new Date(this.clock.now()).toISOString(),
  ): readonly number[] {
    this.#notify ||= tellsOthers(writes);
    for (const row of writes.rows) writeRow(db, row, now);
    for (const row of writes.outbox) insertOutboxRow(db, row, now);
    return appendEvents(db, writes.events, now);
  }
}

function markKey({ handler, type, messageId }: Mark): string {
  return JSON.stringify([handler, type, messageId]);
}

/** Whether somebody waits for what is written. */
function tellsOthers({ outbox, events }: WriteSet): boolean {
  return outbox.length > 0 || events.length > 0;
}

/**
 * Runs statements in the held transaction, which is over with the first that fails: others need not wait for
 * its end.
 */
function inside<T>(held: HeldTransaction, work: (db: DatabaseSync) => T): T {
  try {
    return held.run(work);
  } catch (error) {
    held.rollback();
    throw error;
  }
}
