/**
 * The Redis broker under the broker suite, on a real redis-server: with a connection for every reader, and
 * with one for all.
 *
 * @module
 */
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";

async function open(settings: Record<string, unknown>) {
  const server = await RedisServer.start();
  const brokers: RedisBroker[] = [];
  const another = async () => {
    const broker = new RedisBroker({
      name: "default",
      domain: "shop",
      settings: { URI: server.uri, ...settings },
      folder: Deno.cwd(),
      clock: systemClock,
    });
    await broker.open();
    brokers.push(broker);
    return broker;
  };
  return {
    broker: await another(),
    another,
    elapse: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    close: async () => {
      for (const broker of brokers) await broker.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

if (redisAvailable) {
  brokerConformance("redis", () => open({}));
  brokerConformance("redis (polling)", () => open({ max_connections: 1 }));
  brokerModel("redis", () => open({}));
}
