/**
 * What everything in this adapter shares: the database's names and its pool.
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import { asError, ProteanError } from "../../../errors.ts";
import type { Connection, Reply, Row } from "./connection.ts";
import { ownStatementError, type Where } from "./errors.ts";
import type { Names } from "./names.ts";
import type { Pool } from "./pool.ts";
import { BEGIN, COMMIT, exchange, type Planned } from "./statement.ts";

export interface BackendOptions {
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  /** Sessions are read-only outside of transactions. */
  readonly pool: Pool<Connection>;
}

export class Database {
  readonly where: Where;
  readonly names: Names;
  readonly clock: Clock;
  readonly pool: Pool<Connection>;

  constructor({ where, names, clock, pool }: BackendOptions) {
    this.where = where;
    this.names = names;
    this.clock = clock;
    this.pool = pool;
  }

  /** Runs one statement that only reads. */
  async read(statement: Planned): Promise<readonly Row[]> {
    const [reply = []] = await this.use(
      statement.doing,
      (connection) => exchange(connection, [statement], this.where),
    );
    return reply;
  }

  /** Runs statements that write, in a transaction of their own; returns their replies. */
  async write(...statements: readonly Planned[]): Promise<readonly Reply[]> {
    const replies = await this.use(
      "writing",
      (connection) => exchange(connection, [BEGIN, ...statements, COMMIT], this.where),
    );
    if (replies.at(-1)?.command !== "COMMIT") {
      throw new ProteanError(`Database '${this.where.name}' has rolled a transaction back.`);
    }
    return replies.slice(1, -1);
  }

  /**
   * Runs `work` on a connection of its own, which is in no transaction afterwards; `doing` is for messages.
   */
  async use<T>(doing: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    const { member } = await this.pool.acquire(undefined, { sure: true });
    try {
      return await work(member);
    } catch (error) {
      if (!member.lost) {
        await member.run("rollback", [], "simple").catch((failure: unknown) => {
          member.destroy(`rolling back failed: ${asError(failure).message}`);
        });
      }
      throw ownStatementError(this.where, doing, error);
    } finally {
      this.pool.release(member);
    }
  }
}
