/** What on-call needs, on Redis and PostgreSQL (issue 16, 2). */
import { assertEquals } from "@std/assert";
import { gaugesOf } from "../support/gauge_scenario.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";

Deno.test({
  name: "on Redis and PostgreSQL every gauge that on-call needs says what is the case, pools included",
  ignore: !redisAvailable || !postgresAvailable,
  fn: async () => {
    await using redis = await RedisServer.start();
    await using postgres = await PostgresServer.start();
    const samples = await gaugesOf({
      databases: { default: { provider: "postgresql", database_uri: postgres.uri(), pool_size: 3 } },
      brokers: { default: { provider: "redis", URI: redis.uri } },
      caches: { default: { provider: "memory" } },
    }, { tick: () => new Promise((resolve) => setTimeout(resolve, 50)) });
    const pool = ["size", "checked_out", "overflow", "checked_in", "waiting"].map((figure) =>
      samples.get(`protean_db_pool_${figure}`)?.length
    );
    assertEquals(pool, [1, 1, 1, 1, 1]);
    assertEquals(samples.get("protean_db_pool_waiting"), [0]);
    assertEquals(Number(samples.get("protean_broker_pool_active_connections")?.[0]) > 0, true);
  },
});
