/**
 * A running server whose PostgreSQL or Redis fails in every way that servers and networks do (issue 14, point
 * 3): it never ends, never spins, tells each change once, works again within 5 s, and loses nothing.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { Redis } from "ioredis";
import { z } from "zod";
import { Domain, Engine, on } from "@protean/server";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { ProviderUnavailableError, UnavailableError } from "../../lib/errors.ts";
import { logged } from "../support/logged.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { pause, until } from "../support/until.ts";

const ignore = !postgresAvailable || !redisAvailable;
/** How long each fault lasts. */
const FAULT_MS = 1500;
/**
 * From the end of a fault until a message that was sent after it has been handled: five seconds are meant, and
 * other tests beside this one may take their share of the machine.
 */
const RECOVERED_MS = 15_000;
/** Of one core, while nothing works. */
const MOST_CPU = 0.75;
/** Lines of the log that one fault may cost, beginning and end and all parts of the server together. */
const MOST_LINES = 40;

/** A domain at work between its servers, with a proxy before each. */
class Stage implements AsyncDisposable {
  readonly confirmed = new Set<number>();
  ended: number | undefined;
  #sent = 0;
  readonly #stop = new AbortController();
  readonly #stopSending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();

  private constructor(
    readonly postgres: PostgresServer,
    readonly redis: RedisServer,
    readonly toPostgres: TcpProxy,
    readonly toRedis: TcpProxy,
    readonly admin: Redis,
    private readonly domain: Domain,
  ) {}

  static async open(): Promise<Stage> {
    const postgres = await PostgresServer.start({ settings: { fsync: "off", max_connections: "40" } });
    // Whoever may do everything gets the connections that are kept for such.
    await postgres.sql("create role shop login", "grant all on schema public to shop");
    const redis = await RedisServer.start({ appendOnly: true });
    const [toPostgres, toRedis] = [postgres.port, redis.port].map((port) => TcpProxy.start(port));
    if (!toPostgres || !toRedis) throw new Error("no proxies");
    const admin = new Redis({ port: redis.port, retryStrategy: () => 50, disableClientInfo: true });
    admin.on("error", () => {});
    const stage = new Stage(postgres, redis, toPostgres, toRedis, admin, new Domain("shop"));
    await stage.#begin();
    return stage;
  }

  async #begin(): Promise<void> {
    const { domain } = this;
    const schema = z.object({ id: z.string(), n: z.number() });
    const Order = domain.aggregate("Order", { schema });
    const Placed = domain.event("Placed", { partOf: Order, schema });
    const Seen = domain.projection("Seen", { schema: z.object({ id: z.string() }) });
    domain.eventHandler("Sees", {
      partOf: Order,
      subscriptionConfig: { concurrency: 4, retryDelaySeconds: 0.1 },
      handles: [on(Placed, ({ n }, ctx) => ctx.view(Seen).put({ id: String(n) }))],
    });
    const uri = `postgresql://shop@127.0.0.1:${this.toPostgres.port}/postgres?connect_timeout=1`;
    const URI = `redis://127.0.0.1:${this.toRedis.port}/0`;
    const patience = { socket_timeout: 0.5, socket_connect_timeout: 1 };
    await domain.init({
      config: {
        databases: { default: { provider: "postgresql", database_uri: uri, pool_size: 3, max_overflow: 2 } },
        brokers: { default: { provider: "redis", URI, ...patience } },
        caches: { default: { provider: "redis", URI, ...patience } },
        server: { health: { enabled: false } },
      },
    });
    const runtime = runtimeOf(domain);
    await runtime.providers.get("default")?.setup("all", runtime.tables.get("default") ?? []);
    this.#running = new Engine(domain).run({ signal: this.#stop.signal }).then((code) =>
      void (this.ended = code)
    );
    this.#sending = (async () => {
      while (!this.#stopSending.signal.aborted) {
        const n = this.#sent++;
        await domain.publish(Placed, { id: `o${n % 10}`, n }).then(() => this.confirmed.add(n), () => {});
        await pause(10);
      }
    })();
    await this.worksAgain(60_000);
  }

  /** Waits until a message that is sent from now on was handled; returns the milliseconds. */
  async worksAgain(within = RECOVERED_MS): Promise<number> {
    const from = this.#sent;
    return await until(
      async () => {
        const [most] = await this.postgres.sql(
          "select coalesce(max(id::bigint), -1) from protean_shop_view_seen",
        );
        return Number(most) >= from;
      },
      "a message to be handled",
      { within },
    );
  }

  /** What was confirmed and is not handled, once everything sent is. */
  async lost(): Promise<readonly number[]> {
    this.#stopSending.abort();
    await this.#sending;
    const missing = async () => {
      const seen = new Set((await this.postgres.sql("select id from protean_shop_view_seen")).map(Number));
      return [...this.confirmed].filter((n) => !seen.has(n));
    };
    await until(async () => (await missing()).length === 0, "everything confirmed to be handled", {
      within: 30_000,
    }).catch(() => {});
    return await missing();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopSending.abort();
    this.#stop.abort();
    await Promise.all([this.#sending, this.#running]);
    await this.domain.close();
    this.admin.disconnect();
    await Promise.all([this.toPostgres, this.toRedis].map((proxy) => proxy[Symbol.asyncDispose]()));
    await this.redis[Symbol.asyncDispose]();
    await this.postgres[Symbol.asyncDispose]();
  }
}

interface Fault {
  readonly name: string;
  readonly begin: (stage: Stage) => unknown;
  readonly end: (stage: Stage) => unknown;
}

const nothing = () => {};
const unreachable = (proxy: (stage: Stage) => TcpProxy): Fault => ({
  name: "is unreachable",
  begin: (stage) => {
    proxy(stage).refuse();
    proxy(stage).cut();
  },
  end: (stage) => proxy(stage).heal(),
});
const swallowed = (proxy: (stage: Stage) => TcpProxy): readonly Fault[] => [
  { name: "has its connections swallowed", begin: (stage) => proxy(stage).swallow(), end: nothing },
  {
    name: "is behind a firewall that drops everything",
    begin: (stage) => proxy(stage).blackhole(),
    end: (stage) => proxy(stage).heal(),
  },
];
const KILL_ALL = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop'";

const faults: Readonly<Record<string, readonly Fault[]>> = {
  Redis: [
    { name: "is restarted", begin: ({ redis }) => redis.stop(), end: ({ redis }) => redis.restart() },
    { name: "is killed", begin: ({ redis }) => redis.kill(), end: ({ redis }) => redis.restart() },
    { name: "is frozen", begin: ({ redis }) => redis.freeze(), end: ({ redis }) => redis.thaw() },
    unreachable(({ toRedis }) => toRedis),
    ...swallowed(({ toRedis }) => toRedis),
    {
      name: "closes idle connections",
      begin: ({ admin }) => admin.client("KILL", "TYPE", "normal", "SKIPME", "yes"),
      end: ({ admin }) => admin.client("KILL", "TYPE", "normal", "SKIPME", "yes"),
    },
    {
      name: "only reads",
      begin: ({ admin }) => admin.replicaof("127.0.0.1", 1),
      end: ({ admin }) => admin.replicaof("NO", "ONE"),
    },
    {
      name: "is out of memory",
      begin: ({ admin }) => admin.config("SET", "maxmemory", "1mb"),
      end: ({ admin }) => admin.config("SET", "maxmemory", "0"),
    },
    {
      name: "is out of connections",
      begin: async ({ admin }) => {
        await admin.config("SET", "maxclients", "1");
        await admin.client("KILL", "TYPE", "normal", "SKIPME", "yes");
      },
      end: ({ admin }) => admin.config("SET", "maxclients", "1000"),
    },
  ],
  PostgreSQL: [
    {
      name: "is restarted",
      begin: ({ postgres }) => postgres.stop("fast"),
      end: ({ postgres }) => postgres.restart(),
    },
    {
      name: "crashes",
      begin: ({ postgres }) => postgres.stop("immediate"),
      end: ({ postgres }) => postgres.restart(),
    },
    { name: "is frozen", begin: ({ postgres }) => postgres.freeze(), end: ({ postgres }) => postgres.thaw() },
    unreachable(({ toPostgres }) => toPostgres),
    ...swallowed(({ toPostgres }) => toPostgres),
    {
      name: "ends idle connections",
      begin: ({ postgres }) => postgres.sql(KILL_ALL),
      end: ({ postgres }) => postgres.sql(KILL_ALL),
    },
    {
      name: "only reads",
      begin: ({ postgres }) =>
        postgres.sql(
          "alter role shop set default_transaction_read_only = on",
          "alter role shop nologin",
          KILL_ALL,
        ),
      end: ({ postgres }) =>
        postgres.sql(
          "alter role shop reset default_transaction_read_only",
          "alter role shop login",
          KILL_ALL,
        ),
    },
    {
      name: "is out of connections",
      begin: ({ postgres }) => postgres.sql("alter role shop connection limit 0", KILL_ALL),
      end: ({ postgres }) => postgres.sql("alter role shop connection limit -1"),
    },
  ],
};

for (const [server, kinds] of Object.entries(faults)) {
  Deno.test({ name: `${server} fails in every way, and the work goes on`, ignore }, async (t) => {
    await using stage = await Stage.open();
    for (const { name, begin, end } of kinds) {
      await t.step(`${server} ${name}`, async () => {
        const cpu = process.cpuUsage();
        const began = performance.now();
        let ms = 0;
        const records = await logged(async () => {
          await begin(stage);
          await pause(FAULT_MS);
          const { user, system } = process.cpuUsage(cpu);
          const share = (user + system) / 1000 / (performance.now() - began);
          await end(stage);
          assert(share < MOST_CPU, `${Math.round(share * 100)} % of a core while nothing works`);
          ms = await stage.worksAgain();
        });
        assertEquals(stage.ended, undefined, "the server has ended");
        assert(ms < RECOVERED_MS, `it worked again after ${ms} ms`);
        const lines = records.map(({ category, rawMessage, properties }) =>
          `${category.join(".")} ${String(rawMessage)} ${JSON.stringify(properties)}`
        );
        assert(lines.length <= MOST_LINES, `${lines.length} lines:\n${lines.join("\n")}`);
        const begun = records.filter(({ rawMessage, properties }) =>
          rawMessage === "redis.unavailable" && properties["adapter"] === "brokers.default"
        );
        assert(begun.length <= 2, lines.join("\n"));
      });
    }
    assertEquals(await stage.lost(), []);
  });
}

Deno.test(
  { name: "a host whose name nobody knows is unavailable and is tried again, not an end", ignore },
  async () => {
    await using provider = new TestProvider({
      uri: "postgresql://shop@nowhere.invalid/shop?connect_timeout=3",
    });
    await provider.open();
    await assertRejects(
      () => provider.ping(AbortSignal.timeout(5000)),
      ProviderUnavailableError,
      "cannot be reached",
    );
    for (
      const URI of [
        "redis://nowhere.invalid/0",
        "redis+sentinel://nowhere.invalid/main/0",
        "redis+cluster://nowhere.invalid",
      ]
    ) {
      const cache = new RedisCache({
        ...{ name: "default", domain: "shop", folder: "/", clock: systemClock },
        settings: { URI, socket_connect_timeout: 3 },
      });
      await cache.open();
      await assertRejects(() => cache.get("k"), UnavailableError);
      await cache.close();
    }
  },
);
