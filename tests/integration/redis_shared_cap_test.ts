/**
 * 200 subscriptions, a broker and a cache on 20 connections to one Redis (issue 14, point 2).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { z } from "zod";
import { Domain, Engine, on } from "@protean/server";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";

const SUBSCRIPTIONS = 200;
const MAX_CONNECTIONS = 20;
const EVENTS = 5;

redisTest("200 subscriptions on 20 connections of broker and cache together: nobody starves", async () => {
  await using server = await RedisServer.start();
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const handled = new Array<number>(SUBSCRIPTIONS).fill(0);
  const events = Array.from({ length: 10 }, (_, at) => {
    const aggregate = domain.aggregate(`Order${at}`, { schema });
    return { aggregate, event: domain.event(`Placed${at}`, { partOf: aggregate, schema }) };
  });
  for (let number = 0; number < SUBSCRIPTIONS; number++) {
    const of = events[number % events.length];
    if (!of) continue;
    domain.eventHandler(`Handler${number}`, {
      partOf: of.aggregate,
      handles: [on(of.event, () => void (handled[number] = (handled[number] ?? 0) + 1))],
    });
  }
  const redis = { provider: "redis", URI: server.uri, max_connections: MAX_CONNECTIONS };
  await domain.init({
    config: {
      databases: { default: { provider: "memory" } },
      brokers: { default: redis },
      caches: { default: redis },
      server: { health: { enabled: false } },
    },
  });
  const cache = runtimeOf(domain).caches.get("default");
  const client = new Redis(server.port);
  const count = async () =>
    String(await client.client("LIST")).split("\n").filter((line) => line.includes("name=protean:shop:"))
      .length;
  const engine = new Engine(domain);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  let most = 0;
  for (let n = 0; n < EVENTS; n++) {
    for (const { event } of events) await domain.publish(event, { id: `o${n}` });
    await cache?.set("k", String(n));
    await engine.untilQuiet();
    most = Math.max(most, await count());
  }
  stop.abort();
  assertEquals(await running, 0);
  client.disconnect();
  assert(most > 10 && most <= MAX_CONNECTIONS, `${most} connections`);
  assertEquals(handled, new Array<number>(SUBSCRIPTIONS).fill(EVENTS));
});
