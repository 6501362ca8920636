/**
 * PostgreSQL: aggregate and view rows, outbox and idempotency marks in one database, one transaction for each
 * unit of work, which those that are ready at the same time share (delivery 13, 17, 25; design 8).
 *
 * A process opens at most `pool_size + max_overflow` connections for its units of work, one for hints and
 * pings, one for each outbox processor at work, one while it holds locks, and one for moments to ask about
 * those that are silent. Connections are this process's own: a transaction pooler in between is refused,
 * because leases are locks of a session; one that pools by session will do.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { abortable } from "../../async/abort.ts";
import {
  type AdapterOptions,
  BaseProvider,
  type ComponentSchema,
  type ConnectionNeed,
  type Lock,
  type LockOptions,
  type PoolStats,
  type ProviderCapabilities,
  type ProviderSession,
  type ServerFacts,
  type SessionOptions,
  type TableSpec,
} from "../ports.ts";
import { RefusedError } from "../../errors.ts";
import { Database } from "./connection/database.ts";
import { Connection, type ConnectionOptions } from "./connection/connection.ts";
import { outboxTable, processedTable } from "./tables/ddl.ts";
import { ownComponents, type PostgresComponent, rowComponent } from "./tables/migrations.ts";
import { isTooMany, type Where } from "./connection/errors.ts";
import { Hints } from "./outbox/notify.ts";
import { LEASE_SESSION } from "./outbox/lease_sql.ts";
import { PostgresLocks } from "./locks.ts";
import { Names, quoted } from "./connection/names.ts";
import { PostgresOutbox } from "./outbox/outbox.ts";
import { Pool } from "./connection/pool.ts";
import { isTransactionPooled } from "./connection/pooler.ts";
import { PostgresSession, type SessionParts } from "./tables/session.ts";
import { SessionBeats } from "./tables/session_beat.ts";
import { Committer } from "./groups/committer.ts";
import { SharedReads } from "./groups/reads.ts";
import type { Member } from "./groups/member.ts";
import { commitAlone, type GroupedParts, GroupedSession } from "./groups/session.ts";
import { type PostgresSettings, postgresSettings } from "./settings.ts";
import { applicationName as ownName, SERVER_NAME } from "../client_name.ts";
import { requireCompatible, requireUpgraded } from "../migrations.ts";
import {
  dropComponents,
  droppable,
  existing,
  migrate,
  placeOf,
  schemasOf,
  type Target,
} from "./tables/setup.ts";
import { CleaningPermit, cutOff } from "./server_clock.ts";
import { connectionNeed, serverFacts } from "./server_facts.ts";
import { foreignHolder } from "./connection/foreign_locks.ts";
import { SilenceWatch } from "./connection/silent_connections.ts";
import { SideConnection } from "./connection/side_connection.ts";
import { tlsFiles } from "./connection/socket.ts";
import type { Place } from "./connection/uri.ts";

const log = getLogger(["protean", "postgres"]);

/** A connection that does not answer a ping for so long is given up. */
const PING_MS = 2000;
/** A statement that is not answered for so long may wait for a lock. */
const HELD_UP_MS = 1000;
/**
 * Within half a minute the server ends the transactions of a machine that is gone; by itself it would take
 * hours.
 */
const SERVER_KEEPALIVE =
  "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3";
/** So many texts of user statements are prepared; each takes memory on every connection of the server. */
const PREPARED_TEXTS = 256;
/** Connections of outbox leases: one is kept, others come and go with the processors for further brokers. */
const LEASES = { poolSize: 1, maxOverflow: -1, overflowIdle: 0 };

export class PostgresProvider extends BaseProvider {
  readonly capabilities: ProviderCapabilities = { sql: true, embedded: false };
  readonly outbox: PostgresOutbox;
  readonly #settings: PostgresSettings;
  readonly #where: Where;
  readonly #database: Database;
  readonly #leases: Pool<Connection>;
  readonly #side: SideConnection;
  readonly #locks: PostgresLocks;
  readonly #hints: Hints;
  readonly #silence: SilenceWatch;
  readonly #beats: SessionBeats;
  readonly #sessions: SessionParts;
  readonly #grouped: GroupedParts;
  readonly #permit = new CleaningPermit();
  readonly #prepared = new Set<string>();
  /** A pooler stands between, and was seen to lend whole sessions. */
  #pooledBySession = false;
  #encodingJudged = false;
  /** What goes on after abandoned sessions. */
  readonly #afterwards = new Set<Promise<void>>();

  /** Throws `ConfigurationError` for a URI that cannot work; nothing is opened before it is needed. */
  constructor(options: AdapterOptions) {
    super(options);
    this.#settings = postgresSettings(options.name, options.settings, options.clock);
    const { clock } = options;
    const names = new Names(this.#settings.schema);
    const { uri, password } = this.#settings;
    const where: Where = this.#where = {
      ...{ name: options.name, label: uri.label },
      ...(password && { passwordFrom: password.setting }),
    };
    // Read-only outside of transactions, which all say READ WRITE: a statement that strays out of its own
    // cannot write.
    const pool = this.#pool(this.#settings, "set default_transaction_read_only = on");
    this.#database = new Database({ where, names, clock, pool });
    this.#leases = this.#pool(LEASES, LEASE_SESSION);
    this.#silence = new SilenceWatch({
      ...{ name: options.name, clock, timeoutMs: this.#settings.uri.connectTimeoutMs },
      open: (place, signal) => this.#openAt([place], "set default_transaction_read_only = on", signal),
    });
    this.#side = new SideConnection({
      clock,
      open: (signal) => this.#open(`set synchronous_commit = off; listen ${quoted(names.channel)}`, signal),
      onOpen: () => this.#hints.reopened(),
    });
    const { outboxNotify: notify } = this.#settings;
    const onReopened = () => this.outbox.reopened();
    this.#hints = new Hints({ clock, channel: names.channel, notify, side: this.#side, onReopened });
    this.#locks = new PostgresLocks({
      ...{ where, clock, schema: names.schema },
      open: (signal) => this.#open("set default_transaction_read_only = on", signal),
    });
    const processors = new Database({ where, names, clock, pool: this.#leases });
    this.outbox = new PostgresOutbox({
      ...{ database: this.#database, processors, hints: this.#hints, permit: this.#permit },
    });
    this.#beats = new SessionBeats(clock);
    this.#sessions = {
      ...{ where, names, clock, pool, beats: this.#beats },
      mayPrepare: (text) => this.#mayPrepare(text),
      committed: () => this.#hints.committed(),
      afterwards: (work) => this.#track(work),
    };
    const { commitGroupSize: size } = this.#settings;
    const { committed, afterwards } = this.#sessions;
    const alone = (member: Member) => commitAlone(this.#sessions, member);
    this.#grouped = {
      own: this.#sessions,
      committer: new Committer({ where, names, clock, pool, size, alone, committed, afterwards }),
      reads: new SharedReads({ where, names, pool }),
    };
  }

  /**
   * Throws `RefusedError` for a file of certificates or of a password that cannot be used; nothing is
   * connected.
   */
  override async open(): Promise<void> {
    await tlsFiles({ name: this.options.name, uri: this.#settings.uri });
    await this.#settings.password?.check();
  }

  /** Asks on the connection beside the pool, for a pool in full use is no reason to be unready. */
  async ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const connection = await abortable(this.#side.get(), signal);
    const cut = () => connection.destroy("it did not answer a ping");
    signal.addEventListener("abort", cut, { once: true });
    try {
      await connection.run("select 1", [], "simple");
    } finally {
      signal.removeEventListener("abort", cut);
    }
  }

  override async close(): Promise<void> {
    this.#hints.close();
    this.#beats.close();
    await this.#locks.close();
    const closing = [this.#database.pool, this.#leases, this.#side, this.#silence];
    await Promise.all(closing.map((part) => part.close()));
    await Promise.all(this.#afterwards);
  }

  override async heldUp(): Promise<string | undefined> {
    const backends = this.#silence.waiting(HELD_UP_MS);
    if (backends.length === 0) return undefined;
    const holder = await foreignHolder(await this.#side.get(), backends);
    if (holder === undefined) return undefined;
    const { name, label } = this.#where;
    return `Database '${name}' (${label}) answers pings, and statements wait there for a lock that ${holder} holds: ` +
      "have it ended.";
  }

  override connectionNeed(use: { readonly outboxProcessors: number }): ConnectionNeed {
    return connectionNeed(this.#settings, use);
  }

  override async serverFacts(signal: AbortSignal): Promise<ServerFacts> {
    const connection = await abortable(this.#side.get(), signal);
    return await abortable(serverFacts(connection), signal);
  }

  override poolStats(): PoolStats {
    return { ...this.#database.pool.stats };
  }

  async setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void> {
    const all = this.#components(tables);
    await this.#onTables("setting up tables", async (target) => {
      await migrate(target, scope === "all" ? all : this.#components([]));
      if (scope === "all" || tables.length === 0) return;
      const schemas = await schemasOf(target, all);
      requireCompatible(schemas, placeOf(this.#where));
      requireUpgraded(schemas, placeOf(this.#where));
    });
  }

  /** A statement asks for its rights before it looks for rows. */
  async verify(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { outbox, processed } = this.#database.names;
    const statements = [outbox, processed].flatMap((table) => [
      `insert into ${table} (message_id) select message_id from ${table} where false`,
      `update ${table} set message_id = message_id where false`,
      `delete from ${table} where false`,
    ]);
    const writing = statements.map((text) => ({ text, values: [], doing: "using the server's own tables" }));
    await abortable(this.#database.write(...writing), signal);
  }

  override async schema(tables: readonly TableSpec[]): Promise<readonly ComponentSchema[]> {
    const components = this.#components(tables);
    return await this.#onTables("looking at tables", (target) => schemasOf(target, components));
  }

  override async droppable(tables: readonly TableSpec[]): Promise<readonly string[]> {
    const components = this.#components(tables);
    return await this.#onTables("looking at tables", (target) => droppable(target, components));
  }

  /** Drops the given tables and the server's own. */
  async drop(tables: readonly TableSpec[]): Promise<void> {
    const components = this.#components(tables);
    await this.#onTables("dropping tables", (target) => dropComponents(target, components));
  }

  /** Empties the given tables, outbox and marks; those that are missing are empty. */
  async truncate(tables: readonly TableSpec[]): Promise<void> {
    const { names } = this.#database;
    const wanted = [...tables.map(({ name }) => name), outboxTable.name, processedTable.name];
    const found = await this.#onTables("emptying tables", (target) => existing(target, wanted));
    if (found.length === 0) return;
    const text = `truncate ${found.map((name) => names.table(name)).join(", ")}`;
    await this.#database.write({ text, values: [], doing: "emptying tables" });
  }

  session(options: SessionOptions = {}): ProviderSession {
    return this.#settings.commitGroupSize > 1
      ? new GroupedSession(this.#grouped, options)
      : new PostgresSession(this.#sessions, options);
  }

  override async lock(name: string, options?: LockOptions): Promise<Lock | undefined> {
    return await this.#locks.lock(name, options);
  }

  async cleanMarks(before: number, limit: number): Promise<number> {
    if (!await this.#permit.ask(this.#database)) return 0;
    const { processed } = this.#database.names;
    const [reply] = await this.#database.write({
      text: `delete from ${processed} where ctid = any(array(
        select ctid from ${processed} where processed_at < ${cutOff("$2", "$1")} limit $3::bigint))`,
      values: [before, this.options.clock.now() - before, limit].map(String),
      doing: "cleaning idempotency marks",
    });
    return reply?.count ?? 0;
  }

  #components(tables: readonly TableSpec[]): readonly PostgresComponent[] {
    const { names } = this.#database;
    return [...ownComponents(names), ...tables.map(({ name }) => rowComponent(name, names))];
  }

  #onTables<T>(doing: string, work: (target: Target) => Promise<T>): Promise<T> {
    const { names } = this.#database;
    return this.#database.use(doing, (connection) => work({ connection, names, where: this.#where }));
  }

  #pool(
    { poolSize, maxOverflow, overflowIdle }: Pick<
      PostgresSettings,
      "poolSize" | "maxOverflow" | "overflowIdle"
    >,
    session: string,
  ): Pool<Connection> {
    const { poolRecycle, poolTimeout, poolPrePing } = this.#settings;
    const { name, clock } = this.options;
    return new Pool<Connection>({
      ...{ name, clock, size: poolSize, maxOverflow, prePing: poolPrePing },
      overflowIdleSeconds: overflowIdle,
      recycleSeconds: poolRecycle,
      timeoutSeconds: poolTimeout,
      open: (signal) => this.#open(session, signal),
      ping: (connection) => this.#alive(connection),
      isPassing: isTooMany,
    });
  }

  async #open(session: string, signal: AbortSignal | undefined): Promise<Connection> {
    const connection = await this.#openAt(this.#settings.uri.places, session, signal);
    this.#silence.add(connection);
    this.#judgeEncoding(connection.encoding);
    return connection;
  }

  /** Said once: it works, until somebody's name has a letter that the encoding lacks. */
  #judgeEncoding(encoding: string): void {
    if (this.#encodingJudged) return;
    this.#encodingJudged = true;
    if (encoding === "UTF8") return;
    const { name, label } = this.#where;
    log.warn("postgres.encoding", {
      ...{ database: name, encoding },
      message:
        `Database '${name}' (${label}) has the encoding ${encoding}, and messages are UTF-8: a value ` +
        "that it cannot hold is refused or stored wrong; create the database anew with ENCODING 'UTF8'.",
    });
  }

  #openAt(places: readonly Place[], session: string, signal: AbortSignal | undefined): Promise<Connection> {
    const { schema } = this.#settings;
    const path = schema === "public" ? [] : [`set search_path = ${quoted(schema)}, public`];
    return this.#connect(places, {
      // Times without a zone must mean UTC (wire 6.4), and values must look as `values.ts` reads them.
      session: [
        "set time zone 'UTC'; set datestyle = 'ISO, MDY'; set bytea_output = 'hex'; set client_min_messages = warning",
        SERVER_KEEPALIVE,
        // A statement sees what was committed when it had its turn, whatever the database has as its default.
        "set default_transaction_isolation = 'read committed'",
        ...path,
        session,
      ].join("; "),
      onPooled: (connection) => this.#assertSession(connection, places, signal),
      onRun: () => this.#silence.wake(),
      onNotify: (payload) => this.#hints.received(payload),
    }, signal);
  }

  #connect(
    places: readonly Place[],
    options: Pick<ConnectionOptions, "session" | "onPooled" | "onRun" | "onNotify">,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const { uri, password } = this.#settings;
    const applicationName = uri.applicationName === SERVER_NAME
      ? ownName(this.options.domain)
      : uri.applicationName;
    return Connection.open(
      {
        ...{ ...this.#where, uri: { ...uri, applicationName, places }, clock: this.options.clock },
        ...(password && { password: (cut) => password.read(cut) }),
        ...options,
      },
      signal,
    );
  }

  /** Throws `RefusedError` behind a transaction pooler. */
  async #assertSession(
    connection: Connection,
    places: readonly Place[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (this.#pooledBySession) return;
    if (await isTransactionPooled(connection, () => this.#connect(places, { session: "select 1" }, signal))) {
      const { name, label } = this.#where;
      throw new RefusedError(
        `Database '${name}' (${label}) is behind a transaction pooler, which lends each transaction another session, but the ` +
          "server needs sessions of its own: name the pooler's session port, or PostgreSQL itself, in the database_uri.",
        { code: "DATABASE_POOLER" },
      );
    }
    this.#pooledBySession = true;
  }

  /** Rejects, and the connection is lost, when it does not answer. */
  async #alive(connection: Connection): Promise<void> {
    const cancel = this.options.clock.after(PING_MS, () => connection.destroy("it did not answer a ping"));
    try {
      await this.#silence.unwatched(connection, () => connection.run("select 1", [], "simple"));
    } finally {
      cancel();
    }
  }

  #mayPrepare(text: string): boolean {
    if (this.#prepared.has(text)) return true;
    if (this.#prepared.size >= PREPARED_TEXTS) return false;
    this.#prepared.add(text);
    return true;
  }

  #track(work: Promise<void>): void {
    this.#afterwards.add(work);
    void work.finally(() => this.#afterwards.delete(work));
  }
}
