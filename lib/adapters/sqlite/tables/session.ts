/**
 * One unit of work on a SQLite file. Nothing is written before `commit`: then everything that was buffered goes into one
 * synchronous transaction. Only `ctx.sql` that writes takes the file's write transaction early and holds it (delivery 14).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { CommitRefusedError } from "../../../errors.ts";
import type {
  Mark,
  ProviderSession,
  SessionOptions,
  SqlRow,
  SqlStatement,
  StoredRow,
  WriteSet,
} from "../../ports.ts";
import { SessionGuard } from "../../session_guard.ts";
import type { HeldTransaction, SqliteDatabase } from "../file/database.ts";
import { appendEvents } from "./events.ts";
import { isMarked, writeMark } from "./marks.ts";
import { insertOutboxRow } from "../outbox/outbox_rows.ts";
import { listRows, loadRow, writeRow } from "./rows.ts";
import { execute, looksLikeReading, runReading, WRITES } from "./user_sql.ts";

export class SqliteSession implements ProviderSession {
  readonly #guard = new SessionGuard();
  readonly #cut = new AbortController();
  readonly #marks: Mark[] = [];
  /** The promise, so that two statements at once share one transaction instead of waiting for each other. */
  #holding: Promise<HeldTransaction> | undefined;
  #held: HeldTransaction | undefined;
  #notify = false;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly options: SessionOptions,
  ) {}

  load(table: string, id: string): Promise<StoredRow | undefined> {
    return this.#guard.run(() => this.#read((db) => loadRow(db, table, id)));
  }

  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    return this.#guard.run(() => this.#read((db) => listRows(db, table, options)));
  }

  /** Written at the commit, whose transaction refuses a mark that another has committed meanwhile. */
  mark(mark: Mark): Promise<boolean> {
    return this.#guard.run(async () => {
      const mine = this.#marks.some((other) =>
        other.handler === mark.handler && other.type === mark.type && other.messageId === mark.messageId
      );
      if (mine || await this.#read((db) => isMarked(db, mark))) return false;
      this.#marks.push(mark);
      return true;
    });
  }

  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#guard.run(async () => {
      if (!this.#holding && looksLikeReading(statement)) {
        const rows = await this.database.read((db) => runReading(db, statement), this.options.signal);
        if (rows !== WRITES) return rows;
      }
      const held = await this.#hold();
      return held.run((db) => execute(db, statement));
    });
  }

  flush(writes: WriteSet): Promise<void> {
    return this.#guard.run(async () => {
      if (isEmpty(writes)) return;
      const held = await this.#hold();
      held.run((db) => this.#write(db, writes));
    });
  }

  commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    return this.#guard.finish(async () => {
      const held = await this.#holding;
      if (held) {
        try {
          this.#cut.signal.throwIfAborted();
          const positions = held.run((db) => this.#writeAll(db, writes));
          held.commit({ notify: this.#notify });
          return { positions };
        } finally {
          held.rollback();
        }
      }
      if (isEmpty(writes) && this.#marks.length === 0) return { positions: [] };
      const notify = writes.outbox.length > 0 || writes.events.length > 0;
      const positions = await this.database.write((db) => this.#writeAll(db, writes), {
        signal: this.#cut.signal,
        notify,
      });
      return { positions };
    });
  }

  rollback(): Promise<void> {
    if (this.#guard.end()) this.#undo("rolled back");
    return Promise.resolve();
  }

  abandon(): void {
    this.#guard.abandon();
    this.#undo("cut by the drain");
  }

  /** Stops what waits and gives the write transaction back. */
  #undo(how: string): void {
    this.#cut.abort(new CommitRefusedError(`This unit of work was ${how}: nothing of it is committed.`));
    this.#held?.rollback();
  }

  #read<T>(work: (db: DatabaseSync) => T): T | Promise<T> {
    return this.#held ? this.#held.run(work) : this.database.read(work);
  }

  #hold(): Promise<HeldTransaction> {
    return this.#holding ??= this.#take();
  }

  async #take(): Promise<HeldTransaction> {
    const { signal } = this.options;
    const signals = signal ? [this.#cut.signal, signal] : [this.#cut.signal];
    try {
      const held = await this.database.hold(AbortSignal.any(signals));
      this.#held = held;
      // It may have been granted in the very turn in which it was given up.
      if (this.#cut.signal.aborted) held.rollback();
      return held;
    } catch (cause) {
      if (!signal?.aborted || cause !== signal.reason) throw cause;
      throw new CommitRefusedError("This unit of work was cut while it waited for its turn to write.", {
        cause,
      });
    }
  }

  #writeAll(db: DatabaseSync, writes: WriteSet): readonly number[] {
    const now = new Date(this.clock.now()).toISOString();
    for (const mark of this.#marks) writeMark(db, mark, now);
    return this.#write(db, writes);
  }

  #write(db: DatabaseSync, writes: WriteSet): readonly number[] {
    const now = new Date(this.clock.now()).toISOString();
    this.#notify ||= writes.outbox.length > 0 || writes.events.length > 0;
    for (const row of writes.rows) writeRow(db, row, now);
    for (const row of writes.outbox) insertOutboxRow(db, row, now);
    return appendEvents(db, writes.events, now);
  }
}

function isEmpty(writes: WriteSet): boolean {
  return writes.rows.length === 0 && writes.outbox.length === 0 && writes.events.length === 0;
}
