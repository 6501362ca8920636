/**
 * The Redis cache under the cache suite, on a real redis-server, and what it shares with Python (wire 5).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { ConfigurationError, UnavailableError } from "../../lib/errors.ts";
import { redisAvailable, RedisServer, redisTest } from "../support/redis_server.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";

async function openOn(server: RedisServer, settings: Record<string, unknown> = {}): Promise<RedisCache> {
  const cache = new RedisCache({
    name: "default",
    domain: "shop",
    settings: { URI: server.uri, ...settings },
    folder: Deno.cwd(),
    clock: systemClock,
  });
  await cache.open();
  return cache;
}

if (redisAvailable) {
  cacheConformance("redis", async () => {
    const server = await RedisServer.start();
    const caches: RedisCache[] = [];
    const another = async () => {
      const cache = await openOn(server);
      caches.push(cache);
      return cache;
    };
    return {
      cache: await another(),
      another,
      elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      close: async () => {
        for (const cache of caches) await cache.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}

redisTest("RedisCache keeps plain keys and values with whole milliseconds, as Python does", async () => {
  await using server = await RedisServer.start();
  const cache = await openOn(server, { TTL: 1.5 });
  const bare = new Redis(server.port);
  await cache.set("order_cache:::A2", '{"order_id": "A2"}');
  assertEquals(await bare.get("order_cache:::A2"), '{"order_id": "A2"}');
  const left = await bare.pttl("order_cache:::A2");
  assert(left > 1000 && left <= 1500, `${left}`);
  await bare.set("order_cache:::A3", "no time limit");
  assertEquals(await cache.ttl("order_cache:::A3"), Infinity);
  await cache.close();
  bare.disconnect();
});

redisTest("RedisCache lists more keys than one step of a scan brings", async () => {
  await using server = await RedisServer.start();
  const cache = await openOn(server);
  const bare = new Redis(server.port);
  const keys = Array.from({ length: 3000 }, (_, index) => `a[*]:::${String(index).padStart(4, "0")}`);
  await bare.xadd("a[*]:::stream", "*", "data", "no key of a cache");
  await bare.mset(...keys.flatMap((key) => [key, "1"]), "a*]:::0000", "1");
  assertEquals(await cache.keys("a[*]:::", { limit: 9999 }), keys);
  assertEquals(await cache.keys("a[*]:::", { after: keys[2997] ?? "", limit: 9 }), keys.slice(2998));
  await cache.close();
  bare.disconnect();
});

redisTest("RedisCache tells a server that is away from settings that are wrong", async () => {
  await using server = await RedisServer.start();
  const cache = await openOn(server);
  await server.kill();
  await assertRejects(() => cache.get("a"), UnavailableError, "caches.default");
  await cache.close();
  await assertRejects(
    () => openOn(server, { URI: "redis://h/x" }),
    ConfigurationError,
    "'caches.default.URI'",
  );
  await assertRejects(() => openOn(server, { TTL: 0 }), ConfigurationError, "TTL");
});
