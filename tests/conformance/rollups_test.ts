/**
 * Every broker's rollups under the suite.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Redis } from "ioredis";
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import { type BaseBroker, ROLLUP_KEPT_MS } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { rollupsConformance } from "../../lib/testing/conformance/rollups_suite.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";

function rollupsOf(broker: BaseBroker) {
  if (!broker.rollups) throw new Error(`${broker.constructor.name} keeps no rollups.`);
  return broker.rollups;
}

const minute = (ms: number) => Math.floor(ms / 60_000);

rollupsConformance("memory", () => {
  const clock = new FakeClock(Date.now());
  const broker = new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  const rollups = rollupsOf(broker);
  return Promise.resolve({
    ...{ one: rollups, other: rollups, now: minute(clock.now()), close: () => broker.close() },
    elapse: (ms: number) => clock.advance(ms),
  });
});

rollupsConformance("sqlite", async () => {
  const clock = new FakeClock(Date.now());
  const folder = await Deno.makeTempDir();
  const open = async () => {
    const broker = new SqliteBroker({ name: "default", domain: "shop", settings: {}, folder, clock });
    await broker.open();
    return broker;
  };
  const [one, other] = [await open(), await open()];
  return {
    ...{ one: rollupsOf(one), other: rollupsOf(other), now: minute(clock.now()) },
    elapse: (ms: number) => clock.advance(ms),
    close: async () => {
      await Promise.all([one.close(), other.close()]);
      await Deno.remove(folder, { recursive: true });
    },
  };
});

if (redisAvailable) {
  rollupsConformance("redis", async () => {
    const server = await RedisServer.start();
    const settings = { URI: server.uri };
    const open = () =>
      new RedisBroker({ name: "default", domain: "shop", settings, folder: "/", clock: systemClock });
    const [one, other] = [open(), open()];
    return {
      ...{ one: rollupsOf(one), other: rollupsOf(other), now: minute(Date.now()), elapse: undefined },
      close: async () => {
        await Promise.all([one.close(), other.close()]);
        // In place of a day: all that is there will go, and not too soon.
        const client = new Redis(server.port);
        for (const key of await client.keys("protean:rollup:*")) {
          const ttl = await client.pttl(key);
          assert(ttl > ROLLUP_KEPT_MS - 60_000 && ttl <= ROLLUP_KEPT_MS, `${key} ${ttl}`);
        }
        client.disconnect();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}
