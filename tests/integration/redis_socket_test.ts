/**
 * Redis behind a Unix socket of this machine: `unix:///path?db=N`, as redis-py writes it.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { BrokerUnavailableError } from "../../lib/errors.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";

const common = { name: "default", domain: "shop", folder: "/", clock: systemClock };

redisTest(
  "a broker and a cache work over a Unix socket, in the database that the address names",
  async () => {
    const folder = await Deno.makeTempDir();
    const socket = `${folder}/redis.sock`;
    await using server = await RedisServer.start({ args: ["--unixsocket", socket, "--requirepass", "p w"] });
    const broker = new RedisBroker({ ...common, settings: { URI: `unix://:p%20w@${socket}?db=3` } });
    const cache = new RedisCache({ ...common, settings: { URI: `unix://:p%20w@${socket}` } });
    const beside = new RedisBroker({
      ...common,
      settings: { URI: `redis://:p%20w@127.0.0.1:${server.port}/3` },
    });
    try {
      await broker.open();
      await broker.publish([{ stream: "s", data: "x".repeat(100_000) }]);
      const group = broker.group({ stream: "s", group: "g", consumer: "c" });
      await group.ensure();
      const read = await group.read({ count: 1, blockMs: 1000 });
      assertEquals(read.map(({ data }) => data?.length), [100_000]);
      const cut = await group.read({ count: 1, blockMs: 60_000, signal: AbortSignal.timeout(20) });
      assertEquals(cut, []);
      assertEquals(await beside.length("s"), 1);
      await cache.set("k", "v");
      assertEquals(await cache.get("k"), "v");
    } finally {
      for (const adapter of [broker, cache, beside]) await adapter.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
);

redisTest("a socket that is not there is waited for, and named", async () => {
  const broker = new RedisBroker({ ...common, settings: { URI: "unix:///nowhere/redis.sock" } });
  try {
    const ping = () => broker.ping(AbortSignal.timeout(10_000));
    const { message } = await assertRejects(ping, BrokerUnavailableError);
    assertStringIncludes(message, "unix:///nowhere/redis.sock?db=0 (brokers.default)");
  } finally {
    await broker.close();
  }
});
