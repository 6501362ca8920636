/**
 * Locks as advisory locks of a session: one connection for all that this process holds, open for as long as
 * it holds any. The server lets them go with the session, and this process notices before: it asks for a sign
 * of life more often than the server does (`SERVER_KEEPALIVE` in `provider.ts`).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { abortable } from "../../async/abort.ts";
import { type Clock, momentOf } from "../../async/clock.ts";
import { ProviderUnavailableError } from "../../errors.ts";
import { HeldLocks } from "../lease_lock.ts";
import type { Lock, LockOptions } from "../ports.ts";
import type { Connection } from "./connection/connection.ts";
import { ownStatementError, type Where } from "./connection/errors.ts";
import { STANDS_STILL } from "./connection/still_sessions.ts";

/** Less than the 25 s after which the server takes a machine that is silent for gone. */
const LOCK_MS = 20_000;
/** A connection on which nothing can be unlocked for so long is given up, and the locks with it. */
const UNLOCK_MS = 1000;

export interface PostgresLocksOptions {
  readonly where: Where;
  readonly schema: string;
  readonly clock: Clock;
  readonly open: (signal: AbortSignal) => Promise<Connection>;
}

/** The sessions that hold the lock with the number `$1`, given as one of 64 bits. */
const HOLDERS = `select pid from pg_locks where locktype = 'advisory' and objsubid = 1 and granted
  and database = (select oid from pg_database where datname = current_database())
  and (classid::bigint << 32 | objid::bigint) = $1::bigint`;

/** A holder beats by `renew`; one that stands still finds its session gone when it wakes up. */
const END_STILL =
  `select pg_terminate_backend(pid) from pg_stat_activity where ${STANDS_STILL} and pid in (${HOLDERS})`;

/** The connection, and how many calls and locks need it. */
interface Session {
  readonly connection: Promise<Connection>;
  users: number;
}

export class PostgresLocks {
  readonly #options: PostgresLocksOptions;
  readonly #held = new HeldLocks();
  /** Numbers of the locks held or asked for: the server would grant one a second time to its own session. */
  readonly #keys = new Set<string>();
  readonly #closing = new AbortController();
  /** Connections on their way out. */
  readonly #leaving = new Set<Promise<void>>();
  #session: Session | undefined;

  constructor(options: PostgresLocksOptions) {
    this.#options = options;
  }

  /** See `BaseProvider.lock`. */
  async lock(name: string, { signal }: LockOptions = {}): Promise<Lock | undefined> {
    signal?.throwIfAborted();
    const key = this.#keyOf(name);
    if (this.#keys.has(key)) return undefined;
    this.#keys.add(key);
    const session = this.#enter();
    const asking = this.#ask(session, name, key);
    try {
      return await abortable(asking, signal);
    } catch (error) {
      // Nobody waits for it any more, but the server may still grant it.
      void asking.then((lock) => lock?.[Symbol.asyncDispose](), () => {});
      throw error;
    }
  }

  /** Gives up what is held, and closes the connection. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(new ProviderUnavailableError("The domain is closed."));
    await this.#held.close();
    await Promise.all(this.#leaving);
  }

  async #ask(session: Session, name: string, key: string): Promise<Lock | undefined> {
    const { clock, where } = this.#options;
    let done = () => this.#leave(session, key);
    try {
      const connection = await session.connection;
      const since = momentOf(clock);
      const [row] = await connection.run("select pg_try_advisory_lock($1::bigint) as taken", [key], "once");
      if (row?.["taken"] !== true) {
        await connection.run(END_STILL, [key], "once"); // who asks next finds it free
        return undefined;
      }
      const release = done;
      done = () => {};
      const lock = this.#held.hold({
        ...{ name, clock, since, ttlMs: LOCK_MS },
        renew: async () => (await connection.run("select 1", [], "simple")).length > 0,
        release: () => this.#unlock(connection, key).finally(release),
      });
      void connection.ended.then(() => lock.lose("its connection to the database is lost"));
      return lock;
    } catch (error) {
      throw ownStatementError(where, `taking the lock '${name}'`, error);
    } finally {
      done();
    }
  }

  async #unlock(connection: Connection, key: string): Promise<void> {
    const late = () => connection.destroy("it did not answer the unlocking");
    const cancel = this.#options.clock.after(UNLOCK_MS, late);
    try {
      await connection.run("select pg_advisory_unlock($1::bigint)", [key], "once");
    } finally {
      cancel();
    }
  }

  #enter(): Session {
    const session = this.#session ??= this.#begin();
    session.users++;
    return session;
  }

  #begin(): Session {
    const connection = this.#options.open(this.#closing.signal);
    const session = { connection, users: 0 };
    const forget = () => {
      if (this.#session === session) this.#session = undefined;
    };
    connection.then(({ ended }) => ended.then(forget), forget);
    return session;
  }

  #leave(session: Session, key: string): void {
    this.#keys.delete(key);
    if (--session.users > 0) return;
    if (this.#session === session) this.#session = undefined;
    const leaving = session.connection.then((connection) => connection.close(), () => {})
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /**
   * 64 bits for the name in this schema; other locks of ours have two numbers of 32, which the server keeps
   * apart.
   */
  #keyOf(name: string): string {
    const hash = createHash("sha256").update(`${this.#options.schema}\0lock\0${name}`).digest();
    return String(hash.readBigInt64BE(0));
  }
}
