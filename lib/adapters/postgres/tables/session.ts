/**
 * One unit of work: a transaction that begins with its first statement, whose connection it takes then and not before (POOL-3).
 *
 * BEGIN travels with the first statement, COMMIT right behind the last of ours; never behind one of the user's, and never
 * before the connection has answered in this transaction, because only what has no COMMIT behind it may be sent again when an
 * idle connection turns out to be dead (delivery 13, POOL-2).
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import { asError, CommitRefusedError, NotSupportedError, ProteanError } from "../../../errors.ts";
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
import type { Connection, Reply } from "../connection/connection.ts";
import { userStatementError, type Where } from "../connection/errors.ts";
import type { Names } from "../connection/names.ts";
import { outboxInsertion } from "./outbox_insert.ts";
import type { Pool } from "../connection/pool.ts";
import { epoch, listAllText, listText, loadText, rowWrite } from "./row_writes.ts";
import { BEGIN, COMMIT, exchange, type Planned } from "../connection/statement.ts";
import { userStatement } from "./user_sql.ts";

/** What sessions of one provider share. */
export interface SessionParts {
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly pool: Pool<Connection>;
  /** Whether a statement of the user's may be prepared: their texts are without limit, a server's memory is not. */
  readonly mayPrepare: (text: string) => boolean;
  /** Called after a commit that has written outbox rows. */
  readonly committed: () => void;
  /** Called with what goes on after an abandoned session: asking the server to stop its statement. */
  readonly afterwards: (work: Promise<void>) => void;
}

export class PostgresSession implements ProviderSession {
  readonly #parts: SessionParts;
  readonly #options: SessionOptions;
  readonly #guard = new SessionGuard();
  readonly #cut = new AbortController();
  #connection: Connection | undefined;
  /** The last statement's turn: statements that were not awaited run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #abandoned = false;
  /** COMMIT was sent: unless the connection is lost, the transaction is over, one way or the other. */
  #ended = false;
  #wroteOutbox = false;

  constructor(parts: SessionParts, options: SessionOptions = {}) {
    this.#parts = parts;
    this.#options = options;
  }

  load(table: string, id: string): Promise<StoredRow | undefined> {
    return this.#run(async () => {
      const [row] = await this.#own({
        text: loadText(this.#parts.names, table),
        values: [id],
        doing: `reading '${id}' from ${table}`,
      });
      return row && { id, version: Number(row["version"]), state: String(row["state"]) };
    });
  }

  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    const { after, limit } = options;
    return this.#run(async () => {
      const { names } = this.#parts;
      const doing = `listing ${table}`;
      const rows = await this.#own(
        after === undefined
          ? { text: listAllText(names, table), values: [String(limit)], doing }
          : { text: listText(names, table), values: [after, String(limit)], doing },
      );
      return rows.map(({ id, version, state }) => ({
        id: String(id),
        version: Number(version),
        state: String(state),
      }));
    });
  }

  mark(mark: Mark): Promise<boolean> {
    return this.#run(async () => {
      const { names, clock } = this.#parts;
      const reply = await this.#own({
        // A concurrent duplicate waits here until the first has committed or not.
        text: `insert into ${names.processed} (handler, type, message_id, processed_at) ` +
          `values ($1, $2, $3, ${epoch("$4")}) on conflict do nothing`,
        values: [mark.handler, mark.type, mark.messageId, String(clock.now())],
        doing: `marking message '${mark.messageId}'`,
      });
      return reply.count === 1;
    });
  }

  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#run(async () => {
      const { text, values } = userStatement(statement);
      const { where, mayPrepare } = this.#parts;
      const rows = await this.#within((connection) =>
        connection.run(text, values, mayPrepare(text) ? "prepared" : "once").catch((error) => {
          throw userStatementError(where, error);
        })
      );
      return [...rows];
    });
  }

  flush(writes: WriteSet): Promise<void> {
    return this.#run(async () => {
      const statements = this.#plan(writes);
      if (statements.length > 0) await this.#send(statements);
    });
  }

  commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    return this.#guard.finish(() =>
      this.#inTurn(async () => {
        try {
          await this.#commit(this.#plan(writes));
        } catch (error) {
          await this.#undo();
          throw this.#abandoned ? cutError(error) : error;
        }
        if (this.#wroteOutbox) this.#parts.committed();
        return { positions: [] };
      })
    );
  }

  async rollback(): Promise<void> {
    if (!this.#guard.end()) return;
    this.#cut.abort(new ProteanError("This unit of work was rolled back."));
    await this.#inTurn(() => this.#undo());
  }

  abandon(): void {
    this.#guard.abandon();
    this.#abandoned = true;
    this.#cut.abort(cutError());
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    this.#parts.afterwards(connection.cancel("the drain cut its unit of work"));
    this.#parts.pool.release(connection);
  }

  /** A method of an open session, in its turn; what it throws after `abandon()` is a refusal. */
  #run<T>(method: () => Promise<T>): Promise<T> {
    return this.#guard.run(() => this.#inTurn(method));
  }

  #inTurn<T>(method: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(method);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #own(statement: Planned): Promise<Reply> {
    const [reply] = await this.#send([statement]);
    if (!reply) throw new ProteanError(`Database '${this.#parts.where.name}' gave no answer.`);
    return reply;
  }

  #send(statements: readonly Planned[]): Promise<readonly Reply[]> {
    return this.#within((connection) => exchange(connection, statements, this.#parts.where));
  }

  /** Runs `work` in the transaction, which begins with it if it has not begun. */
  #within<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#connection ? work(this.#connection) : this.#begin(work);
  }

  /**
   * Takes a connection and sends BEGIN and the first statements together. A connection that was idle may have died unnoticed:
   * nothing of this can be committed yet, so that the next one simply gets the same statements.
   */
  async #begin<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const { pool, where } = this.#parts;
    for (;;) {
      const { member, reused } = await this.#acquire();
      if (this.#abandoned) {
        pool.release(member);
        throw cutError();
      }
      this.#connection = member;
      const [begun, done] = await Promise.allSettled(
        member.together(() => [exchange(member, [BEGIN], where), work(member)] as const),
      );
      if (begun.status === "fulfilled" && done.status === "fulfilled") return done.value;
      if (!reused || !member.lost || this.#abandoned) {
        throw [begun, done].find((result) => result.status === "rejected")?.reason;
      }
      this.#connection = undefined;
      pool.release(member);
    }
  }

  /** Takes a connection; a wait for one ends when the session's signal aborts or the session is cut. */
  async #acquire(): Promise<{ readonly member: Connection; readonly reused: boolean }> {
    const { signal } = this.#options;
    // Not AbortSignal.any, which takes as long as the rest of the statement.
    const cut = () => this.#cut.abort(signal?.reason);
    if (signal?.aborted) cut();
    signal?.addEventListener("abort", cut, { once: true });
    try {
      return await this.#parts.pool.acquire(this.#cut.signal);
    } catch (error) {
      throw this.#cut.signal.aborted && !(error instanceof CommitRefusedError) ? cutError(error) : error;
    } finally {
      signal?.removeEventListener("abort", cut);
    }
  }

  #plan(writes: WriteSet): Planned[] {
    const { names, clock, where } = this.#parts;
    if (writes.events.length > 0) {
      throw new NotSupportedError(
        `Database '${where.name}' keeps no events: append them to the event store.`,
      );
    }
    const now = clock.now();
    // In one order for everybody, so that two units of work seldom wait for each other's rows.
    const rows = [...writes.rows].sort((a, b) => order(a.table, b.table) || order(a.id, b.id));
    const statements = rows.map((row) => rowWrite(names, row, now));
    if (writes.outbox.length === 0) return statements;
    this.#wroteOutbox = true;
    return [...statements, outboxInsertion(names, writes.outbox, now)];
  }

  async #commit(statements: readonly Planned[]): Promise<void> {
    const { where, pool } = this.#parts;
    let rest = statements;
    if (!this.#connection) {
      if (statements.length === 0) return;
      await this.#send(statements);
      rest = [];
    }
    const connection = this.#connection;
    if (!connection) throw cutError();
    this.#ended = true;
    const reply = (await exchange(connection, [...rest, COMMIT], where)).at(-1);
    if (reply?.command !== "COMMIT") {
      throw new ProteanError(
        `Database '${where.name}' has rolled the unit of work back: a statement of it had failed before.`,
        { code: "TRANSACTION_ABORTED" },
      );
    }
    this.#connection = undefined;
    pool.release(connection);
  }

  /** Rolls back and gives the connection back, or destroys it where it does not answer as it should. Never throws. */
  async #undo(): Promise<void> {
    const connection = this.#connection;
    if (!connection) return;
    if (!connection.lost && !this.#ended) {
      await connection.run("rollback", [], "simple").catch((error: unknown) => {
        connection.destroy(`rolling back failed: ${asError(error).message}`);
      });
    }
    this.#connection = undefined;
    this.#parts.pool.release(connection);
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function cutError(cause?: unknown): CommitRefusedError {
  return new CommitRefusedError(
    "This unit of work was cut by the drain: it does not commit.",
    cause === undefined ? {} : { cause },
  );
}
