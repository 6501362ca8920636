/**
 * One physical connection to Redis that lives once: made, used, gone. ioredis reconnects nothing, queues
 * nothing and resends nothing here, so what a broken connection leaves behind is always known;
 * `reconnecting.ts` makes the next one.
 *
 * @module
 */
import { Redis } from "ioredis";
import { VERSION } from "../../executable/version.ts";
import { SERVER_NAME } from "../client_name.ts";
import { asError, ConfigurationError, ProteanError } from "../../errors.ts";
import { explain, isRedirection, isWrongServer, unavailable } from "./faults.ts";
import type { RedisServer } from "./outage.ts";
import { mastersOf } from "./sentinel.ts";
import { readAuthorities, type RedisSettings } from "./settings.ts";
import type { RedisAddress } from "./uri.ts";
import { greetingError, replyError, unexpectedReply } from "./unasked.ts";

// What a Redis server tells of itself when it is greeted.

/**
 * Streams as used here (XAUTOCLAIM's tombstones, `lag`, exact XCLAIM of trimmed entries) came with Redis 7.
 */
const OLDEST_MAJOR = 7;

/**
 * The one run of the server that a connection belongs to: numbers of connections mean nothing in the next.
 */
export function runIdOf(info: string): string | undefined {
  return /^run_id:(\S+)/m.exec(info)?.[1];
}

/**
 * Judges the answer of INFO. Throws `ConfigurationError` for a Redis older than 7.0, and the adapter's
 * unavailable error while it loads its data or is a replica, which takes no writes. A server that does not
 * tell its version or role passes.
 */
export function checkServerInfo(info: string, settings: RedisSettings): void {
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version !== undefined && Number.parseInt(version) < OLDEST_MAJOR) {
    throw new ConfigurationError(
      `Redis at ${settings.address.shown} (${settings.section}) is version ${version}, but 7.0 or later is needed: upgrade it.`,
      { code: "REDIS_TOO_OLD" },
    );
  }
  if (/^loading:1/m.test(info)) throw unavailable(settings, "it is loading its data");
  if (/^role:slave/m.test(info) && !settings.anyRole) {
    throw unavailable(settings, "it is a replica, which takes no writes");
  }
}

/**
 * After a deadline passed without a byte: time to read what arrived while the event loop was held up by
 * something else.
 */
const GRACE_MS = 50;
const KEEP_ALIVE_MS = 30_000;
/** So long a server that hung up on the greeting is listened to: it says why at once, or not at all. */
const LISTENING_MS = 500;

export class Connection {
  /** Resolves when the socket is gone. */
  readonly closed: Promise<void>;
  /** The server's number for this connection, for CLIENT UNBLOCK; undefined where the user may not ask. */
  id: number | undefined;
  readonly #client: Redis;
  readonly #server: RedisServer;
  #runId: string | undefined;
  #reason: string | undefined;

  private constructor(server: RedisServer, authorities: string | undefined) {
    const { address } = server.settings;
    this.#server = server;
    this.#client = new Redis({
      ...address.path === undefined ? { host: address.host, port: address.port } : { path: address.path },
      // Said here: left alone, NODE_TLS_REJECT_UNAUTHORIZED=0 would switch the checks off.
      ...address.tls &&
        { tls: { rejectUnauthorized: true, ...authorities !== undefined && { ca: authorities } } },
      lazyConnect: true,
      retryStrategy: null,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // The greeting below does better: one bound for all of it, its errors as they are, nothing on the
      // console.
      enableReadyCheck: false,
      disableClientInfo: true,
      connectTimeout: 0,
      keepAlive: KEEP_ALIVE_MS,
    });
    // Before connecting: an 'error' event without a listener goes to the console (PIPE-11).
    this.#client.on("error", (error: Error) => this.#reason ??= error.message);
    this.closed = new Promise((resolve) => this.#client.once("end", () => resolve()));
  }

  /**
   * Connects, to the master where sentinels tell which that is, and greets. An attempt takes at most `connectMs`; rejects with the adapter's unavailable error, or with
   * `ConfigurationError` for a wrong password or database and a Redis that is too old. An abort destroys what
   * has begun.
   *
   * The server is made to forget `former`: what that one sent and nobody waits for any more could otherwise
   * still arrive, and append an entry behind younger ones, or take entries that nobody hears of.
   */
  static async open(
    server: RedisServer,
    options: { readonly signal: AbortSignal; readonly former?: Connection | undefined },
  ): Promise<Connection> {
    const { sentinel } = server.settings.address;
    if (!sentinel) return await Connection.#openAt(server, options);
    let failure: unknown;
    for await (const master of mastersOf(server, sentinel, options.signal)) {
      const address = { ...server.settings.address, ...master };
      try {
        return await Connection.#openAt({ ...server, settings: { ...server.settings, address } }, options);
      } catch (error) {
        if (options.signal.aborted) throw error;
        // What the first one says, which the most sentinels agree with as a rule.
        failure ??= error;
      }
    }
    throw failure;
  }

  static async #openAt(
    server: RedisServer,
    options: { readonly signal: AbortSignal; readonly former?: Connection | undefined },
  ): Promise<Connection> {
    const { signal, former } = options;
    const { settings, clock } = server;
    // Looked up anew each time: authorities and passwords are renewed while a server runs.
    const authorities = await readAuthorities(settings);
    const connection = new Connection(await withPassword(server, signal), authorities);
    const stop = () => connection.destroy("closed by us");
    const end = clock.monotonic() + settings.connectMs;
    // A server that talks no TLS waits for the end of a line.
    const doubt = settings.address.tls ? "; does it talk TLS at this port?" : "";
    const late = () => connection.destroy(`no greeting within ${settings.connectMs} ms${doubt}`);
    const cancel = clock.after(settings.connectMs, late);
    signal.addEventListener("abort", stop);
    let connected = false;
    try {
      await connection.#client.connect();
      connected = true;
      await connection.#greet();
      if (former) await connection.#replace(former);
      if (signal.aborted) throw new Error("closed by us");
      return connection;
    } catch (error) {
      connection.destroy(asError(error).message);
      await connection.closed;
      const ms = Math.min(LISTENING_MS, end - clock.monotonic());
      const unasked = connected && ms > 0 && await connection.#unasked(asError(error), { ms, signal });
      throw connection.#explain(unasked || error);
    } finally {
      cancel();
      signal.removeEventListener("abort", stop);
    }
  }

  /** Where it leads to. */
  get address(): RedisAddress {
    return this.#server.settings.address;
  }

  /**
   * False as soon as the server has hung up, which can be many turns of the event loop before the socket is
   * gone.
   */
  get usable(): boolean {
    return this.#reason === undefined && this.#client.status === "ready" && this.#client.stream.writable;
  }

  /**
   * Sends one command or several that belong together (written as one piece), and destroys the connection
   * when it has been silent for `silenceMs` (after `waitMs`, the time that the server may take on purpose).
   * Rejects with errors of ours.
   */
  async call<T>(
    send: (client: Redis) => Promise<T>,
    options: { readonly silenceMs?: number; readonly waitMs?: number; readonly key?: string | undefined } =
      {},
  ): Promise<T> {
    const { silenceMs = this.#server.settings.answerMs, waitMs = 0 } = options;
    const unwatch = this.#watch(waitMs, silenceMs);
    try {
      return await this.#write(send);
    } catch (error) {
      if (isWrongServer(error)) this.destroy(asError(error).message);
      if (isRedirection(error)) this.#server.moved?.(asError(error).message);
      throw this.#explain(error, options.key);
    } finally {
      unwatch();
    }
  }

  /**
   * Ends it at once; what was sent and not answered rejects. The first `reason` is the one that errors tell.
   * Idempotent.
   */
  destroy(reason: string): void {
    this.#reason ??= reason;
    if (this.#client.status === "end") return;
    // disconnect() alone waits up to 2 s for the peer, which may be the one that hangs.
    if (this.#client.stream) this.#client.stream.destroy();
    else this.#client.disconnect();
  }

  async #greet(): Promise<void> {
    const client = this.#client;
    const { address, clientName } = this.#server.settings;
    const may = <T>(answer: Promise<T>) => answer.catch((error: Error) => forgiven(error));
    const [, , , , , id, info] = await Promise.all([
      address.password === undefined
        ? undefined
        : address.username === undefined
        ? client.auth(address.password)
        : client.auth(address.username, address.password),
      address.db === 0 ? undefined : client.select(address.db),
      may(client.client("SETNAME", clientName)),
      // From Redis 7.2 on.
      may(client.call("CLIENT", "SETINFO", "LIB-NAME", SERVER_NAME)),
      may(client.call("CLIENT", "SETINFO", "LIB-VER", VERSION)),
      may(client.client("ID")),
      may(client.info()),
    ]);
    this.id = id;
    this.#runId = info && runIdOf(info);
    if (info !== undefined) checkServerInfo(info, this.#server.settings);
  }

  /** The reply behind an error that only says that the connection broke; undefined where there is none. */
  async #unasked(
    error: Error,
    options: { readonly ms: number; readonly signal: AbortSignal },
  ): Promise<Error | undefined> {
    const { settings: { address }, clock } = this.#server;
    if (error.name === "ReplyError" || error instanceof ProteanError) return undefined;
    const said = unexpectedReply(this.#reason ?? error.message) ??
      // Before TLS it could not say anything.
      (address.tls ? undefined : await greetingError(address, { clock, ...options }));
    return said === undefined ? undefined : replyError(said, error);
  }

  async #replace(former: Connection): Promise<void> {
    if (former.id === undefined || this.#runId === undefined || former.#runId !== this.#runId) return;
    await this.#client.client("KILL", "ID", former.id).catch(forgiven);
  }

  /** One packet for all that `send` writes, however many commands that are. */
  #write<T>(send: (client: Redis) => Promise<T>): Promise<T> {
    const { stream } = this.#client;
    stream.cork();
    try {
      return send(this.#client);
    } finally {
      stream.uncork();
    }
  }

  /**
   * Wait, look, be patient once more, and only then give up: any byte that arrives shows a living connection.
   */
  #watch(waitMs: number, silenceMs: number): () => void {
    const { stream } = this.#client;
    let seen = stream.bytesRead;
    let cancel: () => void;
    const quiet = () => {
      const moved = stream.bytesRead !== seen;
      seen = stream.bytesRead;
      return !moved;
    };
    const listen = () => {
      quiet();
      cancel = this.#server.clock.after(silenceMs, () => {
        if (quiet()) {
          cancel = this.#server.clock.after(GRACE_MS, () => quiet() ? this.#silent(silenceMs) : listen());
        } else listen();
      });
    };
    if (waitMs > 0) cancel = this.#server.clock.after(waitMs, listen);
    else listen();
    return () => cancel();
  }

  #silent(silenceMs: number): void {
    const reason = `no answer within ${silenceMs} ms`;
    this.#server.outage.suspected(unavailable(this.#server.settings, reason));
    this.destroy(reason);
  }

  #explain(error: unknown, key?: string): Error {
    return explain(error, this.#server.settings, { reason: this.#reason, key });
  }
}

/** With the password of this moment, which messages are kept clean of too. */
async function withPassword(server: RedisServer, signal: AbortSignal): Promise<RedisServer> {
  const { settings } = server;
  if (!settings.password) return server;
  try {
    const password = await settings.password.read(signal);
    return { ...server, settings: { ...settings, address: { ...settings.address, password } } };
  } catch (error) {
    if (error instanceof ProteanError) throw error;
    throw unavailable(settings, asError(error).message);
  }
}

/**
 * Without INFO or CLIENT, for want of permission or because a proxy or an operator took them away, one can
 * still work.
 */
function forgiven(error: Error): undefined {
  if (/^NOPERM|^ERR (unknown|unsupported) (command|subcommand)/i.test(error.message)) return undefined;
  throw error;
}
