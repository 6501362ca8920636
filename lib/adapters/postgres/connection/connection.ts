/**
 * One physical connection that lives once. The driver, left alone, opens a lost connection again and runs
 * statements of one transaction inside another (its issues 1204 and 1216); so each connection is a client of
 * its own whose socket is handed out once, and every statement is also settled by that socket's close, for
 * the driver forgets some.
 *
 * @module
 */
import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import postgres from "postgres";
import { deadline, onAbort, timeLimit } from "../../../async/abort.ts";
import type { Clock } from "../../../async/clock.ts";
import { asError, ConfigurationError, ProviderUnavailableError } from "../../../errors.ts";
import { connectError, endsConnection, type Where } from "./errors.ts";
import { LastWords } from "./last_words.ts";
import { dial, requestCancel } from "./socket.ts";
import type { Place, PostgresUri } from "./uri.ts";
import { type TextValue, typeRules } from "./values.ts";

/** A backend's name, never used twice as a process number may be. */
export const BACKEND_NAME = "pid || ' ' || backend_start";

/** An expression for the name of this session's backend; null where the server does not list it. */
const OWN_BACKEND = `(select ${BACKEND_NAME} from pg_stat_activity where pid = pg_backend_pid())`;

/** PostgreSQL 12 has the generated columns that our tables use. */
const OLDEST_VERSION = 120000;
/** How long a courtesy to the server (a cancel request, a goodbye) may take. */
const COURTESY_MS = 1000;

export interface ConnectionOptions extends Where {
  readonly uri: PostgresUri;
  readonly clock: Clock;
  /** Tells the password of this moment, instead of the URI; see `PasswordSource.read`. */
  readonly password?: (signal: AbortSignal | undefined) => Promise<string>;
  /** SQL that runs once, after logging in. */
  readonly session: string;
  /**
   * Asked before anything is set, where something gives itself out for the server. Rejects when it must not
   * be used.
   */
  readonly onPooled?: (connection: Connection) => Promise<void>;
  /** Called when a statement begins. */
  readonly onRun?: () => void;
  /** Called with the payload of every notification. */
  readonly onNotify?: (payload: string) => void;
}

export type Row = Record<string, unknown>;

/** Rows of one statement, and what the server said at its end. */
export interface Reply extends ReadonlyArray<Row> {
  /** Command tag without its count, such as `INSERT 0` or `COMMIT`. */
  readonly command: string;
  /** Rows returned or affected. */
  readonly count: number;
}

/**
 * `prepared`: planned once per connection, for statements whose text is one of few. `once`: parsed every
 * time. `simple`: no parameters, several statements allowed.
 */
export type Mode = "prepared" | "once" | "simple";

export class Connection {
  /** On the clock's monotonic scale. */
  readonly openedAt: number;
  /** Resolves when nothing of it is left: socket closed, timers gone. */
  readonly ended: Promise<void>;
  /** Where it leads to. */
  readonly place: Place;
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #driver: postgres.Sql;
  readonly #ended = Promise.withResolvers<void>();
  readonly #lastWords = new LastWords();
  readonly #unsettled = new Set<(reason: Error) => void>();
  /** When a statement was sent to an idle session, or another was answered (monotonic). */
  #moved = 0;
  /** What a cancel request needs. */
  #key: { readonly pid: number; readonly secret: number } | undefined;
  #backend: string | undefined;
  #encoding = "";
  #lost: Error | undefined;
  #endedByServer = false;

  private constructor(options: ConnectionOptions, place: Place, socket: Socket) {
    this.#options = options;
    this.place = place;
    this.#socket = socket;
    this.openedAt = options.clock.monotonic();
    this.ended = this.#ended.promise;
    this.#driver = this.#client();
    socket.on("error", (error: Error) => this.#hungUp(error.message));
    socket.on("close", () => this.#hungUp("the connection was closed"));
  }

  /**
   * Connects to the first place that answers and takes writes, and logs in. Rejects with `ConfigurationError`
   * where only an operator can mend it, with `ProviderUnavailableError` otherwise, and with the reason of
   * `signal` when that aborts.
   */
  static async open(options: ConnectionOptions, signal?: AbortSignal): Promise<Connection> {
    const uri = { ...options.uri, password: await passwordOf(options, signal) };
    let failure: Error | undefined;
    for (const place of uri.places) {
      try {
        return await Connection.#openAt({ ...options, uri }, place, signal);
      } catch (error) {
        signal?.throwIfAborted();
        failure = connectError(options, error);
        if (failure instanceof ConfigurationError) throw failure;
      }
    }
    throw failure ?? new ConfigurationError(`Database '${options.name}' has no address.`);
  }

  static async #openAt(options: ConnectionOptions, place: Place, signal?: AbortSignal): Promise<Connection> {
    using cut = timeLimit(options.uri.connectTimeoutMs, options.clock, signal);
    const connection = new Connection(options, place, await dial(place, options, cut.signal));
    using _ = onAbort(cut.signal, (reason) => connection.destroy(asError(reason).message));
    try {
      await connection.#greet();
    } catch (error) {
      connection.destroy("logging in failed");
      throw error;
    }
    return connection;
  }

  /** Why it cannot be used any more; undefined: it can. */
  get loss(): Error | undefined {
    return this.#lost;
  }

  /** True once it cannot be used any more. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * The server itself has ended the session and said so. What it says comes in order: of the statements that
   * have no answer, the first one at most was begun.
   */
  get endedByServer(): boolean {
    return this.#endedByServer;
  }

  /** True while a statement waits for its answer. */
  get busy(): boolean {
    return this.#unsettled.size > 0;
  }

  /** How long it has been at the statement that runs; 0: none does. */
  get waitingMs(): number {
    return this.busy ? this.#options.clock.monotonic() - this.#moved : 0;
  }

  /** Bytes that have come in. */
  get received(): number {
    return this.#socket.bytesRead;
  }

  /** What the database keeps its texts in, as PostgreSQL names it: `UTF8`. */
  get encoding(): string {
    return this.#encoding;
  }

  /** Its process at the server, as `activity.ts` names it; undefined where that cannot be known. */
  get backend(): string | undefined {
    return this.#backend;
  }

  /**
   * Runs one statement behind those that run already. Rejects with the server's error as it is, or with
   * `ProviderUnavailableError` when the connection is lost; any error but an ordinary one of the server's
   * destroys it.
   */
  run(text: string, values: readonly TextValue[] = [], mode: Mode = "prepared"): Promise<Reply> {
    if (this.#lost) return Promise.reject(this.#lost);
    this.#options.onRun?.();
    if (!this.busy) this.#moved = this.#options.clock.monotonic();
    return new Promise((resolve, reject) => {
      this.#unsettled.add(reject);
      const options = { prepare: mode === "prepared", simple: mode === "simple" };
      const query = this.#driver.unsafe<Row[]>(text, [...values], options);
      // The driver would keep every failed statement in a map for its stack, for ever.
      Object.defineProperty(query, "origin", { value: "" });
      query.then((rows) => {
        this.#settled(reject);
        resolve(rows);
      }, (error: unknown) => {
        this.#settled(reject);
        if (endsConnection(error)) this.destroy(asError(error).message);
        reject(error);
      });
    });
  }

  /**
   * Sends what `statements` runs in one packet. The driver writes at every kilobyte, and each write wakes the
   * server, which costs more than anything else that this process does for a statement.
   */
  together<T>(statements: () => T): T {
    this.#socket.cork();
    try {
      return statements();
    } finally {
      // Behind the driver's own last write, which it puts off in the same way.
      queueMicrotask(() => setImmediate(() => this.#socket.uncork()));
    }
  }

  /** Cuts it at once: whatever runs rejects, and the server undoes the transaction. Idempotent. */
  destroy(why: string): void {
    this.#lose(why);
    this.#socket.destroy();
  }

  /**
   * As `destroy`, and asks the server to stop the statement that runs, which it would otherwise bring to its
   * end.
   */
  async cancel(why: string): Promise<void> {
    const { busy } = this;
    this.destroy(why);
    if (!this.#key || !busy) return;
    const { place } = this;
    const key = this.#key;
    await deadline((cut) => requestCancel(place, key, cut), COURTESY_MS, this.#options.clock).catch(() => {});
  }

  /** Says goodbye and closes it; what runs is cut. Idempotent. */
  async close(): Promise<void> {
    if (!this.#lost) {
      this.#lose("it was closed");
      const cancel = this.#options.clock.after(COURTESY_MS, () => this.#socket.destroy());
      void this.ended.finally(cancel);
    }
    await this.ended;
  }

  #settled(reject: (reason: Error) => void): void {
    this.#unsettled.delete(reject);
    if (this.busy) this.#moved = this.#options.clock.monotonic();
  }

  #client(): postgres.Sql {
    const { uri, onNotify } = this.#options;
    let handedOut = false;
    return postgres({
      host: this.place.host,
      port: this.place.port,
      user: uri.user,
      pass: uri.password,
      database: uri.database,
      max: 1,
      ssl: false,
      fetch_types: false,
      types: typeRules,
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: 0,
      backoff: () => 0,
      onnotice: () => {},
      connection: {
        application_name: uri.applicationName,
        ...(uri.options === undefined ? {} : { options: uri.options }),
      },
      ...(onNotify ? { onnotify: (_channel: string, payload: string) => onNotify(payload) } : {}),
      onclose: () => this.#hungUp("the connection was closed"),
      socket: () => {
        if (handedOut || this.#lost) throw this.#lost ?? new Error("a connection lives once");
        handedOut = true;
        return this.#socket.on("data", (piece: Uint8Array) => this.#lastWords.heard(piece));
      },
    } as postgres.Options<Record<string, postgres.PostgresType>>);
  }

  async #greet(): Promise<void> {
    // Looked at first: a standby refuses what the session begins with, in words that do not say what is
    // wrong.
    const last = await this.run(
      `select current_setting('server_version_num')::int as version, ${OWN_BACKEND} as backend, ` +
        "pg_is_in_recovery() as standby, current_setting('server_encoding') as encoding",
      [],
      "simple",
    ) as unknown as postgres.RowList<Row[]>;
    this.#key = last.state;
    this.#encoding = String(last[0]?.["encoding"]);
    const backend = last[0]?.["backend"];
    // Where a pooler stands between, it gives itself out for the server.
    const direct = typeof backend === "string" && backend.startsWith(`${this.#key?.pid} `);
    if (direct) this.#backend = backend;
    if (last[0]?.["standby"] === true) {
      throw new ProviderUnavailableError(
        `Database '${this.#options.name}' (${this.#options.label}) is a standby at ${this.place.host}:${this.place.port}, which only ` +
          "reads: it is asked again until it is promoted or its address leads to the primary.",
      );
    }
    const version = Number(last[0]?.["version"]);
    if (!(version >= OLDEST_VERSION)) {
      throw new ConfigurationError(
        `Database '${this.#options.name}' (${this.#options.label}) is PostgreSQL ${
          Math.floor(version / 10000)
        }: ` +
          `version ${OLDEST_VERSION / 10000} or later is needed.`,
        { code: "DATABASE_TOO_OLD" },
      );
    }
    if (!direct) await this.#options.onPooled?.(this);
    await this.run(this.#options.session, [], "simple");
  }

  /** The other end is gone; what it said last tells more than that it is. */
  #hungUp(why: string): void {
    const { reason } = this.#lastWords;
    this.#endedByServer ||= reason !== undefined && !this.lost;
    this.#lose(reason ?? why);
  }

  #lose(why: string): void {
    if (this.#lost) return;
    const { name, label } = this.#options;
    const lost = new ProviderUnavailableError(
      `The connection to database '${name}' (${label}) is lost: ${why}.`,
    );
    this.#lost = lost;
    for (const reject of this.#unsettled) reject(lost);
    this.#unsettled.clear();
    void this.#bury();
  }

  async #bury(): Promise<void> {
    // The driver says goodbye to the server and forgets its queue and its timers.
    await this.#driver.end({ timeout: 0 }).catch(() => {});
    if (!this.#socket.closed) {
      await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    }
    this.#ended.resolve();
  }
}

async function passwordOf(options: ConnectionOptions, signal: AbortSignal | undefined): Promise<string> {
  const { name, label, uri, password } = options;
  if (!password) return uri.password;
  try {
    return await password(signal);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof ConfigurationError) throw cause;
    throw new ProviderUnavailableError(
      `Database '${name}' (${label}) cannot be asked: ${asError(cause).message}; it is tried again.`,
      { cause, isUnreached: true },
    );
  }
}
