/**
 * The Redis broker under the broker suite, on a real redis-server: with a connection for every reader, and
 * with one for all.
 *
 * @module
 */
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { redisBrokers } from "../support/redis_brokers.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";

async function open(settings: Record<string, unknown> = {}) {
  const server = await RedisServer.start();
  const brokers = await redisBrokers(server, RedisBroker, settings);
  return {
    ...brokers,
    close: async () => {
      await brokers.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

if (redisAvailable) {
  brokerConformance("redis", () => open(), { partitions: true, operations: true });
  brokerConformance("redis (polling)", () => open({ max_connections: 1 }));
  brokerModel("redis", () => open());
}
