/**
 * One unit of work: a transaction that begins with its first statement, whose connection it takes then and
 * not before (POOL-3).
 *
 * BEGIN travels with the first statement, COMMIT right behind the last of ours; never behind one of the
 * user's, and never before the connection has answered in this transaction, because only what has no COMMIT
 * behind it may be sent again when an idle connection turns out to be dead (delivery 13, POOL-2).
 *
 * @module
 */
import { onAbort } from "../../../async/abort.ts";
import type { Clock } from "../../../async/clock.ts";
import { asError, NotSupportedError, ProteanError } from "../../../errors.ts";
import {
  duplicateMessage,
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
import type { Connection, Reply } from "../connection/connection.ts";
import { type ServerError, SQLSTATE, userStatementError, type Where } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import { outboxInsertion } from "./outbox_insert.ts";
import type { Pool } from "../connection/pool.ts";
import { manyMarks } from "./many_marks.ts";
import { markInsertion } from "./marks.ts";
import { listRead, rowRead, rowsRead, rowWrite, storedRow } from "./row_writes.ts";
import { BEGIN, COMMIT, exchange, type Planned } from "../connection/statement.ts";
import type { SessionBeats } from "./session_beat.ts";
import { userStatement } from "./user_sql.ts";

/** What sessions of one provider share. */
export interface SessionParts {
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly pool: Pool<Connection>;
  /** Has every connection that is in a transaction. */
  readonly beats: SessionBeats;
  /**
   * Whether a statement of the user's may be prepared: their texts are without limit, a server's memory is
   * not.
   */
  readonly mayPrepare: (text: string) => boolean;
  /** Called after a commit that has written outbox rows. */
  readonly committed: () => void;
  /** Called with what goes on after an abandoned session: asking the server to stop its statement. */
  readonly afterwards: (work: Promise<void>) => void;
}

export class PostgresSession implements ProviderSession {
  readonly #parts: SessionParts;
  readonly #options: SessionOptions;
  readonly #marks: readonly Mark[];
  /** Aborts when a connection must no longer be waited for. */
  readonly #waiting = new AbortController();
  #connection: Connection | undefined;
  /** Nothing is begun any more. */
  #ended = false;
  #wroteOutbox = false;

  /** `marks` are taken with its first statement, which rejects with `DuplicateMessageError` where one is taken. */
  constructor(parts: SessionParts, options: SessionOptions = {}, marks: readonly Mark[] = []) {
    this.#parts = parts;
    this.#options = options;
    this.#marks = marks;
  }

  async load(table: string, id: string): Promise<StoredRow | undefined> {
    const [[row] = []] = await this.#send([rowRead(this.#parts.names, table, id)]);
    return row && storedRow(row);
  }

  async loadMany(table: string, ids: readonly string[]): Promise<readonly StoredRow[]> {
    const [rows = []] = await this.#send([rowsRead(this.#parts.names, table, ids)]);
    return rows.map(storedRow);
  }

  async list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    const [rows = []] = await this.#send([listRead(this.#parts.names, table, options)]);
    return rows.map(storedRow);
  }

  async mark(mark: Mark): Promise<boolean> {
    const { names } = this.#parts;
    const key = [mark.handler, mark.type, mark.messageId];
    const doing = `marking message '${mark.messageId}'`;
    const [reply] = await this.#send([{
      // A concurrent duplicate waits here until the first has committed or not. The time is the server's: by
      // that of a process that is behind, a mark would be old at birth.
      text: `insert into ${names.processed} (handler, type, message_id, checksum, processed_at) ` +
        "values ($1, $2, $3, $4, clock_timestamp()) on conflict do nothing",
      values: [...key, mark.checksum ?? null],
      doing,
    }]);
    if (reply?.count === 1) return true;
    if (mark.checksum === undefined) return false;
    const [[kept] = []] = await this.#send([{
      text: `select checksum from ${names.processed} where handler = $1 and type = $2 and message_id = $3`,
      values: key,
      doing,
    }]);
    requireSameMessage(mark, kept?.["checksum"]);
    return false;
  }

  async markMany(marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
    const { insertion, looking, outcomes } = manyMarks(this.#parts.names, marks);
    const [claimed = []] = await this.#send([insertion]);
    const [kept = []] = claimed.length === marks.length ? [] : await this.#send([looking]);
    return outcomes(claimed, kept);
  }

  async query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    const { text, values } = userStatement(statement);
    const { where, mayPrepare } = this.#parts;
    const rows = await this.#within((connection) =>
      connection.run(text, values, mayPrepare(text) ? "prepared" : "once").catch((error) => {
        throw userStatementError(where, error);
      })
    );
    return [...rows];
  }

  async flush(writes: WriteSet): Promise<void> {
    const statements = this.#plan(writes);
    if (statements.length > 0) await this.#send(statements);
  }

  async commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    if (this.#ended) throw sessionEnded();
    try {
      await this.#commit(this.#plan(writes));
    } finally {
      // Nothing is left to undo where it has committed.
      await this.rollback();
    }
    if (this.#wroteOutbox) this.#parts.committed();
    return { positions: [] };
  }

  /** Rolls back and gives the connection back, or destroys it where it does not answer as it should. */
  async rollback(): Promise<void> {
    this.#ended = true;
    const connection = this.#connection;
    if (!connection) return;
    if (!connection.lost) {
      await connection.run("rollback", [], "simple").catch((error: unknown) => {
        connection.destroy(`rolling back failed: ${asError(error).message}`);
      });
    }
    this.#release(connection);
  }

  abandon(): void {
    this.#ended = true;
    this.#waiting.abort(sessionEnded());
    const connection = this.#connection;
    if (!connection) return;
    this.#parts.afterwards(connection.cancel("the drain cut its unit of work"));
    this.#release(connection);
  }

  #send(statements: readonly Planned[]): Promise<readonly Reply[]> {
    return this.#within((connection) => exchange(connection, statements, this.#parts.where));
  }

  /** Runs `work` in the transaction, which begins with it if it has not begun. */
  #within<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#connection ? work(this.#connection) : this.#begin(work);
  }

  /**
   * Takes a connection and sends BEGIN and the first statements together. A connection that was idle may have
   * died unnoticed: nothing of this can be committed yet, so that the next one simply gets the same
   * statements.
   */
  async #begin<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const { pool, where } = this.#parts;
    for (;;) {
      if (this.#ended) throw sessionEnded();
      const { member, reused } = await this.#acquire();
      if (this.#ended) {
        pool.release(member);
        throw sessionEnded();
      }
      this.#connection = member;
      this.#parts.beats.add(member);
      const [begun, done] = await Promise.allSettled(
        member.together(() => [exchange(member, [BEGIN, ...this.#marking()], where), work(member)] as const),
      );
      if (begun.status === "fulfilled" && done.status === "fulfilled") return done.value;
      if (!reused || !member.lost || this.#ended) {
        throw [begun, done].find((result) => result.status === "rejected")?.reason;
      }
      this.#release(member);
    }
  }

  #marking(): readonly Planned[] {
    const [first] = this.#marks;
    if (!first) return [];
    const explain = ({ code }: ServerError) =>
      code === SQLSTATE.divisionByZero ? duplicateMessage(first) : undefined;
    return [{ ...markInsertion(this.#parts.names, this.#marks), explain }];
  }

  /** Takes a connection; a wait for one ends when the session's signal aborts or the session is abandoned. */
  async #acquire(): Promise<{ readonly member: Connection; readonly reused: boolean }> {
    using _ = onAbort(this.#options.signal, (reason) => this.#waiting.abort(reason));
    return await this.#parts.pool.acquire(this.#waiting.signal, { turn: this.#options.turn });
  }

  #plan(writes: WriteSet): Planned[] {
    const { names, clock, where } = this.#parts;
    if (writes.events.length > 0) {
      throw new NotSupportedError(
        `Database '${where.name}' keeps no events: append them to the event store.`,
      );
    }
    const now = clock.now();
    const statements = writes.rows.map((row) => rowWrite(names, row, now));
    if (writes.outbox.length === 0) return statements;
    this.#wroteOutbox = true;
    return [...statements, outboxInsertion(names, writes.outbox)];
  }

  async #commit(statements: readonly Planned[]): Promise<void> {
    const { where } = this.#parts;
    let rest = statements;
    if (!this.#connection) {
      if (statements.length + this.#marks.length === 0) return;
      await this.#send(statements);
      rest = [];
    }
    const connection = this.#connection;
    if (!connection) throw sessionEnded();
    const reply = (await exchange(connection, [...rest, COMMIT], where)).at(-1);
    if (reply?.command !== "COMMIT") {
      throw new ProteanError(
        `Database '${where.name}' has rolled the unit of work back: a statement of it had failed before.`,
        { code: "TRANSACTION_ABORTED" },
      );
    }
    this.#release(connection);
  }

  #release(connection: Connection): void {
    this.#connection = undefined;
    this.#parts.beats.delete(connection);
    this.#parts.pool.release(connection);
  }
}
