/**
 * Everything one fault test plays on: real servers, one configuration, a producer in this process and any
 * number of server processes, and the auditor who looks at it all afterwards.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { Installation, type RunningServer } from "../../e2e/server.ts";
import { freePort } from "../../support/free_port.ts";
import { PostgresServer } from "../../support/postgres_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { Books } from "./books.ts";
import { readDeliveries } from "./deliveries.ts";
import { CLOCK_AHEAD } from "./clock_ahead.ts";
import { audited as plain } from "./domain.ts";
import { HOLD } from "./effect.ts";
import { produce } from "./producer.ts";
import type { Chance } from "./seed.ts";
import type { Audited } from "./source.ts";
import { Streams } from "./streams.ts";
import { complaint, type Delivery, judge } from "./verdict.ts";

export interface StageOptions {
  readonly chance: Chance;
  /**
   * The domain module that the servers run, and its part that produces. @default `domain.ts` beside this file
   */
  readonly module?: { readonly file: URL; readonly audited: Audited };
  /** Its handlers, all of which leave one effect for each event. @default ["EffectHandler"] */
  readonly handlers?: readonly string[];
  /** Subscription settings of every handler, over those of the stage. */
  readonly settings?: Readonly<Record<string, number>>;
  /** The most database connections that one process opens: a handler that writes holds one. @default 20 */
  readonly connections?: number;
  /** Further lines of the configuration. */
  readonly toml?: string;
  /**
   * The database moves: producer and auditor reach it through the proxy, as the servers do. @default false
   */
  readonly databaseMoves?: boolean;
  /**
   * The database role of the servers, created here with every right on what is set up and none to create.
   * @default "postgres", who set it up
   */
  readonly role?: string;
}

export interface Production {
  readonly events: number;
  /** @default 40 */
  readonly keys?: number;
  /** Events in one unit of work. @default 25 */
  readonly batch?: number;
}

/** Quick to take over what a dead process left, so that tests are. */
const SETTINGS = { concurrency: 16, claim_idle_ms: 2000, claim_interval_ms: 500, blocking_timeout_ms: 500 };

/** Seconds on a machine of its own, but CI runs several of these at once. */
const SETTLED_MS = 120_000;

/**
 * The machine does not fail here, only the server: what it has written is there after a crash without being
 * synced.
 */
const POSTGRES = { fsync: "off", full_page_writes: "off", max_connections: "300" };

interface Parts {
  readonly options: Required<StageOptions>;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  readonly redisProxy: TcpProxy;
  readonly postgresProxy: TcpProxy;
  readonly installation: Installation;
  readonly books: Books;
  readonly streams: Streams;
  readonly stack: AsyncDisposableStack;
}

export class Stage implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  /** The servers reach Redis and PostgreSQL through these; the producer and the auditor do not. */
  readonly redisProxy: TcpProxy;
  readonly postgresProxy: TcpProxy;
  readonly books: Books;
  readonly streams: Streams;
  readonly #parts: Parts;
  readonly #over = new AbortController();
  #production: Promise<void> = Promise.resolve();
  #servers = 0;

  private constructor(parts: Parts) {
    this.redis = parts.redis;
    this.postgres = parts.postgres;
    this.redisProxy = parts.redisProxy;
    this.postgresProxy = parts.postgresProxy;
    this.books = parts.books;
    this.streams = parts.streams;
    this.#parts = parts;
  }

  /** Opens everything but the servers. */
  static async open(given: StageOptions): Promise<Stage> {
    const options = {
      module: { file: new URL("domain.ts", import.meta.url), audited: plain },
      handlers: ["EffectHandler"],
      settings: {},
      connections: 20,
      role: "postgres",
      databaseMoves: false,
      toml: "",
      ...given,
    };
    const { file, audited: { domain } } = options.module;
    await using opened = new AsyncDisposableStack();
    const redis = opened.use(await RedisServer.start({ appendOnly: true }));
    const postgres = opened.use(await PostgresServer.start({ settings: POSTGRES }));
    const redisProxy = opened.use(TcpProxy.start(redis.port));
    const postgresProxy = opened.use(TcpProxy.start(postgres.port));
    const proxied = configuration(options, { postgres: postgresProxy.port, redis: redisProxy.port });
    const installation = opened.use(await Installation.create(proxied, { domain: file.pathname }));
    const config = `${installation.folder}/producer.toml`;
    const producer = { ...options, role: "postgres" };
    const database = options.databaseMoves ? postgresProxy.port : postgres.port;
    await Deno.writeTextFile(config, configuration(producer, { postgres: database, redis: redis.port }));
    await domain.init({ config });
    opened.defer(async () => void await domain.close());
    const { providers, tables } = runtimeOf(domain);
    await providers.get("default")?.setup("all", tables.get("default") ?? []);
    const books = opened.use(new Books(`postgresql://postgres@127.0.0.1:${database}/postgres`));
    await books.prepare();
    if (options.role !== "postgres") await books.admit(options.role);
    const streams = opened.use(new Streams(redis.port));
    return new Stage({
      ...{ options, redis, postgres, redisProxy, postgresProxy, installation, books, streams },
      stack: opened.move(),
    });
  }

  /**
   * Starts a server with further arguments, its clock so many milliseconds ahead, and waits until it is ready.
   */
  async serve(aheadMs = 0, args: readonly string[] = []): Promise<RunningServer> {
    const { installation } = this.#parts;
    const port = this.#servers++ === 0 ? installation.port : freePort();
    const server = await installation.launch(args, port, { [CLOCK_AHEAD]: String(aheadMs) });
    await server.ready();
    return server;
  }

  /**
   * Begins to commit events, so many in all, behind those that were begun before; `settled` waits for the
   * last of them.
   */
  produce({ events, keys = 40, batch = 25 }: Production): void {
    const { module, chance } = this.#parts.options;
    const options = { chance, events, keys, batch, signal: this.#over.signal };
    this.#production = this.#production.then(() => produce(module.audited, options));
    // It is told by `settled`; a test that fails before has its own failure to tell.
    this.#production.catch(() => {});
  }

  /**
   * A session that somebody has forgotten: its transaction has a snapshot and stays open until it is disposed
   * of, so nothing that dies meanwhile may be removed from any table.
   */
  async forgottenTransaction(): Promise<AsyncDisposable> {
    const session = new Books(this.postgres.uri());
    await session.ask("begin isolation level repeatable read; select count(*) from effects");
    return session;
  }

  /** Resolves when the producer has committed everything. */
  produced(): Promise<void> {
    return this.#production;
  }

  /** Keeps every handler that starts from now on before its effect, until `release()`. */
  async hold(): Promise<void> {
    await Deno.writeTextFile(this.#holdFile, "");
  }

  async release(): Promise<void> {
    await Deno.remove(this.#holdFile);
  }

  deliveries(): Promise<readonly Delivery[]> {
    return readDeliveries(this.#parts.installation.folder);
  }

  /** Messages that were given up: dead letters, and abandoned rows of the outbox. */
  async givenUp(): Promise<number> {
    return await this.streams.deadLetters() + await this.books.abandoned();
  }

  /** Resolves when there are so many effects. */
  async effects(n: number, server: RunningServer): Promise<void> {
    await server.until(async () => await this.books.count() >= n, `${n} effects`);
  }

  /** Resolves when everything committed is published, read and acknowledged; then nothing more can happen. */
  async settled(server: RunningServer): Promise<void> {
    await this.#production;
    let quiet = 0;
    await server.until(
      async () => {
        // The outbox first: what leaves it while we look is seen in the streams.
        quiet = await this.books.unpublished() === 0 && await this.streams.workedOff() ? quiet + 1 : 0;
        return quiet >= 2;
      },
      "everything to be worked off",
      SETTLED_MS,
    );
  }

  /**
   * Judges every handler: nothing lost, nothing doubled, and each key in order where that was promised.
   * `events` must have been committed.
   */
  async audit({ events, ordered }: { readonly events: number; readonly ordered: boolean }): Promise<void> {
    const committed = await this.books.committed();
    assertEquals([...committed.values()].reduce((sum, count) => sum + count, 0), events, "events committed");
    const evidence = { committed, effects: await this.books.effects(), deliveries: await this.deliveries() };
    const complaints = this.#parts.options.handlers
      .map((handler) => [handler, complaint(judge(handler, evidence), ordered)] as const)
      .filter(([, text]) => text !== "");
    if (complaints.length === 0) return;
    throw new Error(complaints.map(([handler, text]) => `The audit of ${handler} found ${text}.`).join("\n"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#production.catch(() => {});
    await this.#parts.stack.disposeAsync();
  }

  get #holdFile(): string {
    return `${this.#parts.installation.folder}/${HOLD}`;
  }
}

function configuration(
  { handlers, settings, connections, role, toml }: Required<StageOptions>,
  ports: { readonly postgres: number; readonly redis: number },
): string {
  const uri = `redis://127.0.0.1:${ports.redis}/0`;
  // The profile stands in the file as well: one that a handler has in code comes before what the file says.
  const table = [
    'profile = "production"',
    ...Object.entries({ ...SETTINGS, ...settings }).map(([key, value]) => `${key} = ${value}`),
  ];
  return [
    "[databases.default]",
    'provider = "postgresql"',
    `database_uri = "postgresql://${role}@127.0.0.1:${ports.postgres}/postgres"`,
    "pool_size = 10",
    `max_overflow = ${connections - 10}`,
    "[brokers.default]",
    'provider = "redis"',
    `URI = "${uri}"`,
    "[caches.default]",
    'provider = "redis"',
    `URI = "${uri}"`,
    ...handlers.flatMap((handler) => [`[server.subscriptions.${handler}]`, ...table]),
    toml,
    "",
  ].join("\n");
}
