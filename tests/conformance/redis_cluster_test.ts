/**
 * The Redis broker and cache on a real Cluster of three nodes, under the whole suites (issue 14, point 2).
 *
 * @module
 */
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";
import { rollupsConformance } from "../../lib/testing/conformance/rollups_suite.ts";
import { instances } from "../support/opened.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { redisAvailable } from "../support/redis_server.ts";

/** One for all rules, emptied between them: to form a Cluster takes seconds. */
let cluster: RedisCluster | undefined;

async function open<T extends RedisBroker | RedisCache>(
  Adapter: new (options: ConstructorParameters<typeof RedisBroker>[0]) => T,
  settings: Record<string, unknown> = {},
) {
  if (!cluster) throw new Error("The Cluster is not running.");
  const { uri } = cluster;
  for (const server of cluster.masters) await cluster.client(server).flushall();
  const { first, another, close } = await instances(() =>
    new Adapter({
      ...{ name: "default", domain: "shop", folder: "/", clock: systemClock },
      settings: { URI: uri, ...settings },
    })
  );
  return {
    ...{ first, another, close },
    elapse: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  };
}

const broker = async (settings: Record<string, unknown> = {}) => {
  const { first, ...rest } = await open(RedisBroker, settings);
  return { broker: first, ...rest };
};

if (redisAvailable) {
  Deno.test.beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  Deno.test.afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  brokerConformance("redis cluster", () => broker());
  brokerConformance("redis cluster (polling)", () => broker({ max_connections: 1 }));
  brokerModel("redis cluster", () => broker());
  rollupsConformance("redis cluster", async () => {
    const { broker: { rollups }, close } = await broker();
    if (!rollups) throw new Error("Redis keeps no rollups.");
    const now = Math.floor(Date.now() / 60_000);
    return { one: rollups, other: rollups, now, elapse: undefined, close };
  });
  cacheConformance("redis cluster", async () => {
    const { first, ...rest } = await open(RedisCache);
    return { cache: first, ...rest };
  });
}
