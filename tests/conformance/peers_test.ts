/**
 * Every broker's peers under the suite.
 *
 * @module
 */
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { peersConformance } from "../../lib/testing/conformance/peers_suite.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";

function peersOf(broker: BaseBroker) {
  if (!broker.peers) throw new Error(`${broker.constructor.name} knows no peers.`);
  return broker.peers;
}

peersConformance("memory", () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  const peers = peersOf(broker);
  return Promise.resolve({
    ...{ one: peers, other: peers, elapse: (ms: number) => clock.advance(ms), close: () => broker.close() },
  });
});

peersConformance("sqlite", async () => {
  const clock = new FakeClock(Date.now());
  const folder = await Deno.makeTempDir();
  const open = async () => {
    const broker = new SqliteBroker({ name: "default", domain: "shop", settings: {}, folder, clock });
    await broker.open();
    return broker;
  };
  const [one, other] = [await open(), await open()];
  return {
    ...{ one: peersOf(one), other: peersOf(other), elapse: (ms: number) => clock.advance(ms) },
    close: async () => {
      await Promise.all([one.close(), other.close()]);
      await Deno.remove(folder, { recursive: true });
    },
  };
});

if (redisAvailable) {
  peersConformance("redis", async () => {
    const server = await RedisServer.start();
    const open = () =>
      new RedisBroker({
        ...{
          name: "default",
          domain: "shop",
          settings: { URI: server.uri },
          folder: "/",
          clock: systemClock,
        },
      });
    const [one, other] = [open(), open()];
    return {
      ...{ one: peersOf(one), other: peersOf(other) },
      elapse: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
      close: async () => {
        await Promise.all([one.close(), other.close()]);
        await server[Symbol.asyncDispose]();
      },
    };
  });
}
