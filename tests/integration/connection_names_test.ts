/**
 * What a server shows of us: every connection is there under a name that tells which process of which domain
 * it is, and there are as many as `docs/guides/pools.md` says (issue 14, point 1).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { Domain, Engine, on } from "@protean/server";
import { processName } from "../../lib/adapters/client_name.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { eventually, TestProvider } from "../support/postgres_provider.ts";
import { PostgresServer, postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { Redis } from "ioredis";

const start = sharedPostgres({ settings: { max_connections: "40" } });
const POOL = { pool_size: 2, max_overflow: 1 };
/** Beside the pool (`docs/guides/pools.md`): hints, one outbox processor, locks, a look at the silent. */
const BESIDE = 4;

/** Names of connections by how many have them, without the test's own. */
async function names(server: Pick<PostgresServer, "sql">, database: string): Promise<Map<string, number>> {
  const rows = await server.sql(
    `select application_name || '|' || count(*) from pg_stat_activity where datname = '${database}'
      and pid <> pg_backend_pid() and application_name <> '' group by application_name`,
  );
  return new Map(rows.map((row) => {
    const [name = "", count] = row.split("|");
    return [name, Number(count)];
  }));
}

postgresTest("every connection to PostgreSQL names the server, the domain and the process", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const stop = provider.outbox.watch(() => {});
  const lease = await provider.outbox.lease({ broker: "default", owner: "w1" });
  const lock = await provider.lock("maintenance");
  const ours = `protean-server/shop/${processName()}`.slice(0, 63);
  await eventually("The listening connection", async () => (await names(db, db.name)).get(ours) === 4);
  assertEquals([...(await names(db, db.name)).keys()].filter((name) => name.startsWith("protean")), [ours]);
  await lock?.[Symbol.asyncDispose]();
  await lease.release();
  stop();
});

postgresTest("an application_name in the database_uri is kept as it is", async () => {
  const db = await start();
  await using _ = await TestProvider.ready({ uri: db.uri({ query: "application_name=till%207" }) });
  assertEquals((await names(db, db.name)).get("till 7"), 1);
});

postgresTest("a running server has a pool for each database, and what is counted beside it", async () => {
  const [shop, stats] = [await start(), await start()];
  await using redis = await RedisServer.start();
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Tally = domain.projection("Tally", { schema, provider: "stats" });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  domain.eventHandler("Counts", {
    partOf: Order,
    subscriptionConfig: { concurrency: 16 },
    handles: [on(Placed, ({ id }, ctx) => ctx.view(Tally).put({ id }))],
  });
  await domain.init({
    config: {
      databases: {
        default: { provider: "postgresql", database_uri: shop.uri(), ...POOL },
        stats: { provider: "postgresql", database_uri: stats.uri(), ...POOL },
      },
      brokers: { default: { provider: "redis", URI: redis.uri } },
      caches: { default: { provider: "redis", URI: redis.uri } },
      server: { health: { enabled: false } },
    },
  });
  const runtime = runtimeOf(domain);
  for (const [name, provider] of runtime.providers) {
    await provider.setup("all", runtime.tables.get(name) ?? []);
  }
  const engine = new Engine(domain);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  const most = new Map<string, number>();
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 10 }, (_, n) => domain.publish(Placed, { id: `o${round}-${n}` })));
    for (const db of [shop, stats]) {
      const ours = [...await names(db, db.name)].filter(([name]) => name.startsWith("protean-server/shop/"));
      const count = ours.reduce((sum, [, count]) => sum + count, 0);
      most.set(db.name, Math.max(most.get(db.name) ?? 0, count));
    }
  }
  await engine.untilQuiet();
  const client = new Redis(redis.port, "127.0.0.1");
  const list = String(await client.client("LIST"));
  client.disconnect();
  stop.abort();
  assertEquals(await running, 0);
  for (const db of [shop, stats]) {
    const seen = most.get(db.name) ?? 0;
    const limit = POOL.pool_size + POOL.max_overflow + BESIDE;
    assert(seen >= POOL.pool_size && seen <= limit, `${seen} connections to one database, of ${limit}`);
  }
  assert(list.includes(`name=protean:shop:default:${processName()}`), list);
});
