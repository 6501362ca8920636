/**
 * One SQLite file as this process uses it: one writing connection behind an asynchronous mutex, one reading
 * connection, shared by every adapter that opens the same file (delivery 14).
 *
 * Statements are synchronous and short; whatever has to wait (for the turn to write, for another process's
 * transaction) waits asynchronously. `busy_timeout` is 0 because any other value stops the event loop.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { ConfigurationError, ProviderUnavailableError } from "../../../errors.ts";
import { type BusyOptions, retryBusy } from "./busy.ts";
import { CommitWatch } from "./commit_watch.ts";
import { connect, type Connections, LOG_LIMIT, type Synchronous } from "./connection.ts";
import { changesOf } from "./file_changes.ts";
import { HeldTransaction } from "./held_transaction.ts";
import { LockSpan } from "./lock_span.ts";
import { LogSize } from "./log_size.ts";
import { Mutex } from "./mutex.ts";
import { inTransaction } from "./older_runtime.ts";
import { disappear } from "./process_identity.ts";
import { Silence } from "./silence.ts";
import { asStatementError, fileTrouble, isBusy } from "./sqlite_error.ts";
import { statement } from "./statements.ts";
import { WriteQueue } from "./write_queue.ts";

export { HeldTransaction, statement };

/** Longest wait, in ms, for the turn to write, be it this process's own or another one's. */
const WAIT_LIMIT = 30_000;
const HELD = `has been held by another unit of work of this process for ${WAIT_LIMIT / 1000} s: ` +
  "do not wait for one unit of work inside another that has written with ctx.sql";
const locked = (ms: number) =>
  `has been locked by another process for ${Math.round(ms / 1000)} s: ` +
  "end whatever holds a transaction open on it";
/** Readiness tells of a lock of so many ms: no transaction of ours takes as long. */
const TOLERATED_LOCK = 3_000;
/** Bytes of the trial write that finds out whether a full disk has room again. */
const TRIAL_BYTES = 64 * 1024;

/** How `SqliteDatabase.open` opens a file. */
export interface OpenDatabase {
  /** Absolute. */
  readonly path: string;
  /**
   * What a transaction is that does not say whether it is `durable`: `FULL` for the database and its event
   * store, `NORMAL` for streams and caches. One file cannot be both.
   */
  readonly synchronous: Synchronous;
  readonly clock: Clock;
}

/** How one transaction is written. */
export interface WriteOptions {
  /** Cuts the waiting for the turn to write, not the writing. */
  readonly signal?: AbortSignal | undefined;
  /** Tells those who watch. @default true */
  readonly notify?: boolean;
  /**
   * True: once it has resolved, no power cut undoes it, nor anything that was committed to the file before.
   * False where a power cut may undo it, because it is done again then (claims, leases, acknowledgements):
   * the event loop does not wait for the disk. The death of the process undoes nothing either way.
   * @default true where the file is opened `FULL`
   */
  readonly durable?: boolean;
}

interface Shared {
  readonly synchronous: Synchronous;
  readonly opened: Promise<SqliteDatabase>;
  users: number;
}
const files = new Map<string, Shared>();
/** Of the files that were locked when this process wanted to open them. */
const spans = new Map<string, LockSpan>();

/** A file, open. Every `open` needs its own `close`; the last one closes the file. */
export class SqliteDatabase {
  /** Of others that have this file open. */
  readonly silence: Silence;
  readonly #mutex: Mutex;
  readonly #queue: WriteQueue;
  readonly #watch: CommitWatch;
  readonly #logSize: LogSize;
  readonly #inode: number | null;
  /** As set on the writing connection now. */
  #synchronous: Synchronous;
  #trouble = false;
  #closed: Error | undefined;

  private constructor(
    readonly path: string,
    private readonly connections: Connections,
    private readonly options: OpenDatabase,
    private readonly span: LockSpan,
  ) {
    this.#synchronous = options.synchronous;
    this.silence = new Silence(options.clock);
    const dataVersion = connections.writer.prepare("PRAGMA data_version");
    this.#watch = new CommitWatch({
      ...{ dataVersion, clock: options.clock, listen: changesOf(`${path}-wal`) },
    });
    this.#logSize = new LogSize({ path, db: connections.writer, clock: options.clock, limit: LOG_LIMIT });
    const late = () => this.#unavailable(this.span.ms > 0 ? locked(this.span.ms) : HELD);
    this.#mutex = new Mutex({ clock: options.clock, ms: WAIT_LIMIT, late });
    this.#inode = Deno.statSync(path).ino;
    this.#queue = new WriteQueue({
      acquire: () => this.#mutex.acquire(),
      retry: (attempt, signal) => this.#retry(signal, attempt, this.span),
      begin: (durable) => this.#begin(durable),
      commit: (db, notify) => this.#commit(db, notify),
      rollback: (db) => this.#rollback(db),
    });
  }

  /**
   * Opens the file, or shares it when this process has it open. Throws `ConfigurationError` for a file that
   * cannot be used (missing or unwritable folder, full disk, not a database, used for something else), and
   * `ProviderUnavailableError` when another process keeps it locked.
   */
  static async open(options: OpenDatabase): Promise<SqliteDatabase> {
    const path = await realPath(options.path);
    const shared = files.get(path) ?? share(path, options, SqliteDatabase.#create(path, options));
    if (shared.synchronous !== options.synchronous) throw mixed(path);
    shared.users++;
    try {
      return await shared.opened;
    } catch (cause) {
      if (files.get(path) === shared) files.delete(path);
      throw cause;
    }
  }

  static async #create(path: string, options: OpenDatabase): Promise<SqliteDatabase> {
    const span = spans.get(path) ?? new LockSpan(options.clock);
    spans.set(path, span);
    const connections = await retryBusy(
      () => connect(path, options.synchronous),
      busyOptions(path, options, span),
    );
    spans.delete(path);
    return new SqliteDatabase(path, connections, options, span);
  }

  /**
   * Runs `work` in one write transaction and commits, all synchronously once it is this caller's turn;
   * resolves after the commit, which it may share with others (`WriteQueue`). `work` may run again from its
   * start. Rejects with what `work` throws (nothing is written then), with the signal's reason, or with
   * `ProviderUnavailableError`.
   */
  async write<T>(work: (db: DatabaseSync) => T, options: WriteOptions = {}): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) =>
        this.#queue.push({
          work,
          durable: options.durable ?? this.options.synchronous === "FULL",
          notify: options.notify ?? true,
          signal: options.signal,
          done: (result) => resolve(result as T),
          failed: reject,
        })
      );
    } catch (cause) {
      throw this.#ours(cause);
    }
  }

  /**
   * Takes the turn to write and begins a transaction that stays open until it is committed or rolled back.
   */
  async hold(signal?: AbortSignal): Promise<HeldTransaction> {
    const release = await this.#mutex.acquire(signal);
    try {
      const db = await this.#retry(signal, () => this.#begin(true), this.span);
      return new HeldTransaction({
        db,
        commit: (notify) => this.#commit(db, notify),
        rollback: () => this.#rollback(db),
        release,
        ours: (thrown) => this.#ours(thrown),
        lost: () => this.#unavailable("has rolled this transaction back: run the unit of work again"),
      });
    } catch (cause) {
      release();
      throw this.#ours(cause);
    }
  }

  /** Runs `work` on the reading connection, which sees what is committed and refuses writes. */
  async read<T>(work: (db: DatabaseSync) => T, signal?: AbortSignal): Promise<T> {
    try {
      if (this.#closed) throw this.#closed;
      return await this.#retry(signal, () => work(this.connections.reader), undefined);
    } catch (cause) {
      throw this.#ours(cause);
    }
  }

  /**
   * Calls `listener` after commits: this process's that notify (once for several in one turn), and another
   * process's within 20 ms. Returns the way to stop.
   */
  watch(listener: () => void): () => void {
    return this.#watch.add(listener);
  }

  /**
   * One real read; a look whether another process has the file locked for long; and when the last write
   * failed because of the file or the disk, one real write, so that readiness comes back by itself once there
   * is room again.
   */
  async ping(signal?: AbortSignal): Promise<void> {
    await this.read((db) => statement(db, "SELECT count(*) FROM sqlite_schema").get(), signal);
    const inode = await Deno.stat(this.path).then((info) => info.ino, () => undefined);
    if (inode !== this.#inode) {
      throw this.#unavailable("was removed or replaced while it was in use: restart this process");
    }
    this.#assertUnlocked();
    if (!this.#trouble) return;
    const quiet = { notify: false, signal };
    await this.write((db) => {
      db.prepare("CREATE TABLE IF NOT EXISTS protean_trial (id integer PRIMARY KEY, room blob)").run();
      db.prepare("INSERT OR REPLACE INTO protean_trial VALUES (1, zeroblob(?))").run(TRIAL_BYTES);
    }, quiet);
    await this.write((db) => db.prepare("DROP TABLE protean_trial").run(), quiet);
    this.#trouble = false;
  }

  /**
   * Gives up this caller's share. The last one refuses whoever still waits, rolls back what is held and
   * closes the file.
   */
  async close(): Promise<void> {
    const shared = files.get(this.path);
    if (!shared || await shared.opened !== this || --shared.users > 0) return;
    files.delete(this.path);
    this.#watch.close();
    this.#logSize.close();
    this.#closed = this.#unavailable("is closed");
    this.#mutex.close(this.#closed);
    this.#rollback(this.connections.writer);
    disappear(this.connections.writer);
    this.connections.reader.close();
    this.connections.writer.close();
  }

  #begin(durable: boolean): DatabaseSync {
    if (this.#closed) throw this.#closed;
    const db = this.connections.writer;
    // SQLite refuses to change this inside a transaction.
    const synchronous = durable ? "FULL" : "NORMAL";
    if (synchronous !== this.#synchronous) {
      statement(db, `PRAGMA synchronous = ${synchronous}`).run();
      this.#synchronous = synchronous;
    }
    statement(db, "BEGIN IMMEDIATE").run();
    // Nobody was heard of while nobody could write.
    if (this.span.ended() > TOLERATED_LOCK) this.silence.wasForced();
    return db;
  }

  /** Throws `ProviderUnavailableError` when it has been locked for longer than readiness tolerates. */
  #assertUnlocked(): void {
    const db = this.connections.writer;
    if (inTransaction(db)) return;
    try {
      this.#begin(false);
      this.#rollback(db);
    } catch (cause) {
      if (!isBusy(cause)) throw this.#ours(cause);
      this.span.met();
      if (this.span.ms > TOLERATED_LOCK) throw this.#unavailable(locked(this.span.ms), cause);
    }
  }

  #commit(db: DatabaseSync, notify: boolean): void {
    statement(db, "COMMIT").run();
    this.#logSize.committed();
    this.#watch.committed();
    if (notify) this.#watch.announce();
  }

  /** Some errors (a full disk) have rolled back already; one in ROLLBACK itself has, too. */
  #rollback(db: DatabaseSync): void {
    try {
      if (inTransaction(db)) statement(db, "ROLLBACK").run();
    } catch {
      // Nothing is left to undo, and the error that led here is the one to tell.
    }
  }

  #retry<T>(
    signal: AbortSignal | undefined,
    attempt: () => T,
    span: LockSpan | undefined,
  ): Promise<T> {
    return retryBusy(attempt, { ...busyOptions(this.path, this.options, span), signal });
  }

  #ours(thrown: unknown): unknown {
    const trouble = fileTrouble(thrown);
    if (!trouble) return asStatementError(this.path, thrown);
    this.#trouble = true;
    return this.#unavailable(`${trouble}: make room or mend it, then work goes on by itself`, thrown);
  }

  #unavailable(trouble: string, cause?: unknown): ProviderUnavailableError {
    return unavailable(this.path, trouble, cause);
  }
}

function unavailable(path: string, trouble: string, cause: unknown): ProviderUnavailableError {
  return new ProviderUnavailableError(`The SQLite file ${path} ${trouble}.`, { cause });
}

/** `span`: of who wants to write. What keeps readers out is short, and nobody's transaction. */
function busyOptions(path: string, { clock }: OpenDatabase, span: LockSpan | undefined): BusyOptions {
  return {
    ...{ clock, span, limit: WAIT_LIMIT },
    locked: (cause) => unavailable(path, locked(span?.ms ?? WAIT_LIMIT), cause),
  };
}

function share(path: string, { synchronous }: OpenDatabase, opened: Promise<SqliteDatabase>): Shared {
  const shared = { synchronous, opened, users: 0 };
  files.set(path, shared);
  return shared;
}

/**
 * A unit of work that holds the database's write transaction and then writes its cache would wait for itself.
 */
function mixed(path: string): ConfigurationError {
  return new ConfigurationError(
    `The SQLite file ${path} cannot hold the database and streams or a cache too: ` +
      "give brokers and caches a file of their own, such as sqlite:///my_domain-streams.db.",
    { code: "SQLITE_FILE" },
  );
}

/** Two spellings of one file are one file. */
async function realPath(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await Deno.realPath(absolute);
  } catch {
    const folder = dirname(absolute);
    return join(await Deno.realPath(folder).catch(() => folder), basename(absolute));
  }
}
