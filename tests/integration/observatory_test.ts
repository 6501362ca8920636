/** The observatory over real servers: what it shows, and what it says while one of them is away (issue 16, 3). */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { systemClock } from "../../lib/async/clock.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { Domain, Engine, on } from "../../lib/mod.ts";
import { DomainSource } from "../../lib/observatory/domain_source.ts";
import { observatory } from "../../lib/observatory/server.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { findings } from "../support/prometheus.ts";
import { redisAvailable, RedisServer, redisTest } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

/** Every answer comes before the connection is over. */
const ANSWERED_MS = 4_800;

function shop(handlers = 1) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  for (let number = 1; number <= handlers; number++) {
    domain.eventHandler(`Handler${number}`, {
      partOf: Order,
      subscriptionConfig: { maxRetries: 0, retryDelaySeconds: 0 },
      handles: [on(Placed, ({ id }) => {
        if (id === "bad") throw new RangeError("never");
      })],
    });
  }
  return { domain, Placed };
}

/** The observatory of a domain, and what it answers. */
async function observed(domain: Domain) {
  const runtime = runtimeOf(domain);
  const server = observatory({
    source: new DomainSource(runtime),
    settings: { host: "127.0.0.1", port: 0, token: undefined },
    clock: systemClock,
    databaseType: () => "postgresql",
  });
  await server.start();
  const { port } = await server.bound;
  const ask = async (path: string) => {
    const began = performance.now();
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const text = await response.text();
    assertLess(performance.now() - began, ANSWERED_MS, path);
    assertLess(response.status, 504, `${path} ${text}`);
    assert(response.status !== 500, `${path} ${text}`);
    return { status: response.status, text };
  };
  const body = async (path: string) => JSON.parse((await ask(path)).text);
  return {
    ask,
    body,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await domain.close();
    },
  };
}

Deno.test({
  name: "everything of a domain on Redis and PostgreSQL is seen from outside, and what is away says why",
  ignore: !postgresAvailable || !redisAvailable,
}, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const config = {
    databases: { default: { provider: "postgresql", database_uri: postgres.uri() } },
    brokers: { default: { provider: "redis", URI: redis.uri } },
    caches: { default: { provider: "memory" } },
    server: { health: { enabled: false } },
  };
  const { domain } = shop();
  await domain.init({ config });
  await using seen = await observed(domain);

  // No server has ever run.
  assertEquals((await seen.body("/api/outbox")).shop, {
    status: "error",
    error: "Database 'default' has no tables yet: start a server, or run db setup.",
  });
  assertEquals((await seen.body("/api/health")).server.running, false);
  assertEquals((await seen.body("/api/subscriptions")).shop.summary.total, 2);
  assertEquals(await seen.body("/api/dlq"), { entries: [], total_count: 0 });

  const { domain: run, Placed } = shop();
  await run.init({ config });
  await runtimeOf(run).providers.get("default")?.setup("all", []);
  const engine = new Engine(run);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  for (const id of ["good", "bad", "better"]) await run.publish(Placed, { id });
  await engine.untilQuiet();
  await until(async () => (await seen.body("/api/outbox")).shop.counts?.published === 3, "three rows");
  await until(async () => (await seen.body("/api/health")).server.running, "the heartbeat");
  const { status, infrastructure } = await seen.body("/api/health");
  assertEquals(status, "healthy");
  assertEquals(infrastructure.redis.healthy, true);
  assertStringIncludes(infrastructure.redis.version, ".");
  assert(infrastructure.redis.connected_clients > 0);
  await until(async () => {
    const [{ lag, dlq_depth, workers }] = (await seen.body("/api/subscriptions")).shop.subscriptions;
    return lag === 0 && dlq_depth === 1 && workers.running === 1;
  }, "the row");
  const { entries: [letter], total_count } = await seen.body("/api/dlq?subscription=shop::order");
  assertEquals([total_count, letter.failure_reason], [1, "RangeError: never"]);
  assertEquals((await seen.body(`/api/dlq/${letter.dlq_id}`)).payload.data, { id: "bad" });
  assertEquals((await seen.ask("/api/dlq/1-0")).status, 404);
  assertEquals((await seen.ask("/api/dlq?subscription=shop::nothing")).status, 404);
  const metrics = (await seen.ask("/metrics")).text;
  for (
    const line of [
      'protean_subscription_dlq_depth{domain="shop",handler="Handler1",stream="shop::order",type="stream"} 1',
      'protean_outbox_pending_count{domain="shop"} 0',
      'protean_engine_workers{domain="shop"} 1',
      'protean_engine_up{worker="1",source="heartbeat"} 1',
      'protean_db_pool_size{provider_name="default",database_type="postgresql",worker="1",source="heartbeat"} 5',
    ]
  ) assertStringIncludes(metrics, `${line}\n`);
  assertEquals(await findings(metrics), []);
  stop.abort();
  await running;
  await run.close();
  const sum = (figures: readonly number[]) => figures.reduce((total, each) => total + each, 0);
  const minutes = await seen.body("/api/rollups?subject=shop.Handler1");
  assertEquals([minutes.handled, minutes.failed, minutes.dead].map(sum), [2, 1, 1]);
  assert(minutes.p99.some((seconds: number | null) => seconds !== null && seconds > 0 && seconds < 60));

  // Redis is gone: what the database knows is there all the same.
  await redis.kill();
  await until(async () => {
    const [{ status }, { shop }, { shop: { counts } }, { text }] = await Promise.all([
      ...[seen.body("/api/health"), seen.body("/api/subscriptions"), seen.body("/api/outbox")],
      seen.ask("/metrics"),
    ]);
    const [handler, outbox] = shop.subscriptions;
    return status === "unhealthy" && counts.published === 3 && shop.errors?.length > 0 &&
      handler.lag === null && outbox.lag === 0 &&
      text.includes('protean_broker_up{broker_name="default"} 0') &&
      text.includes("protean_outbox_pending_count") && !text.includes("consumer_lag");
  }, "Redis to be away");
  assertEquals((await seen.ask("/api/dlq")).status, 503);
  await redis.restart();
  await until(async () => (await seen.ask("/api/dlq")).status === 200, "Redis to be there again");

  // The database hangs: what Redis knows is there all the same.
  await postgres.freeze();
  try {
    await until(async () => {
      const [{ status }, { shop }] = await Promise.all([
        ...[seen.body("/api/health"), seen.body("/api/subscriptions")],
      ]);
      const [handler, outbox] = shop.subscriptions;
      return status === "degraded" && handler.head_position === 0 && outbox.lag === null;
    }, "the database to be away");
  } finally {
    // It could not be ended otherwise.
    await postgres.thaw();
  }
});

redisTest("500 subscriptions are one page", async () => {
  await using redis = await RedisServer.start();
  const memory = { provider: "memory" };
  const { domain } = shop(500);
  await domain.init({
    config: {
      databases: { default: memory },
      caches: { default: memory },
      brokers: { default: { provider: "redis", URI: redis.uri } },
    },
  });
  await using seen = await observed(domain);
  const { shop: { subscriptions, summary, errors } } = await seen.body("/api/subscriptions");
  assertEquals([subscriptions.length, summary.total, errors], [501, 501, undefined]);
  const { text } = await seen.ask("/metrics");
  assertEquals(text.match(/^protean_subscription_status\{/gm)?.length, 500);
});
