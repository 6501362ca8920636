/**
 * Redis behind a real sentinel set (issue 14, point 2): the master is found, and found again after a failover
 * under load.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { BrokerUnavailableError, RefusedError, UnavailableError } from "../../lib/errors.ts";
import { redisTest } from "../support/redis_server.ts";
import { RedisSentinels } from "../support/redis_sentinels.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

const IMPATIENT = { socket_timeout: 0.5, socket_connect_timeout: 1 };

function optionsOf(URI: string) {
  return {
    ...{ name: "default", domain: "shop", folder: "/", clock: systemClock },
    settings: { URI, ...IMPATIENT },
  };
}

redisTest("a sentinel set is asked for its master, user and password are the master's", async () => {
  await using set = await RedisSentinels.start({ password: "hunter2" });
  const broker = new RedisBroker(optionsOf(set.uri(":hunter2@")));
  const [result] = await broker.publish([{ stream: "s", data: "1" }]);
  assert(result && "id" in result);
  await broker.close();
  const cache = new RedisCache(optionsOf(set.uri(":wrong@")));
  const refused = await assertRejects(() => cache.get("k"), RefusedError, "refuses the user or password");
  assert(!refused.message.includes("wrong@") && !refused.message.includes(":wrong"), refused.message);
  await cache.close();
});

redisTest("sentinels that are away, or watch no such master, are told as what they are", async () => {
  await using set = await RedisSentinels.start();
  const one = set.ports[1];
  const dead = freePort();
  // One that answers is enough.
  const some = new RedisCache(optionsOf(`redis+sentinel://127.0.0.1:${dead},127.0.0.1:${one}/main/0`));
  await some.set("k", "v");
  assertEquals(await some.get("k"), "v");
  await some.close();
  const none = new RedisCache(optionsOf(`redis+sentinel://127.0.0.1:${dead}/main/0`));
  await assertRejects(() => none.get("k"), UnavailableError, "no sentinel answers");
  await none.close();
  const unknown = new RedisCache(optionsOf(set.uri().replace("/main/", "/orders/")));
  const error = await assertRejects(() => unknown.get("k"), RefusedError, "watches a master called 'orders'");
  assertEquals(error.code, "REDIS_SENTINEL");
  await unknown.close();
});

for (const how of ["killed", "frozen"] as const) {
  redisTest(
    `a failover under load, the master ${how}: nothing is lost but what Redis itself lost`,
    async (t) => {
      await using set = await RedisSentinels.start();
      const broker = new RedisBroker(optionsOf(set.uri()));
      const group = broker.group({ stream: "shop::order", group: "g", consumer: "c" });
      await group.ensure();
      const confirmed = new Set<string>();
      const seen = new Set<string>();
      const stop = new AbortController();
      const done = new AbortController();
      let failures = 0;
      const failing = (work: () => Promise<void>): Promise<Error | undefined> =>
        work().then(() => undefined, async (error: Error) => {
          failures++;
          await new Promise((resolve) => setTimeout(resolve, 20));
          return error;
        });
      let sent = 0;
      const publishing = (async () => {
        while (!stop.signal.aborted) {
          const data = String(sent++);
          const error = await failing(async () => {
            const [result] = await broker.publish([{ stream: "shop::order", data }]);
            if (result && "error" in result) throw result.error;
            confirmed.add(data);
          });
          if (error) assert(error instanceof BrokerUnavailableError, `${error}`);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      const reading = (async () => {
        let ack: string[] = [];
        while (!done.signal.aborted) {
          await failing(async () => {
            await group.ensure();
            const entries = [...await group.read({ count: 100, blockMs: 200, ack })];
            ack = [];
            // What was handed to us in an answer that never came.
            const own = entries.length > 0 ? [] : await group.pending({ limit: 100, consumer: "c" });
            entries.push(...await group.claim(own.map(({ id }) => ({ id, from: "c" })), 0));
            for (const { id, data } of entries) {
              if (data !== undefined) seen.add(data);
              ack.push(id);
            }
          });
        }
      })();
      await until(() => seen.size > 200, "messages before the failover");
      const old = await set.master();
      if (how === "killed") await old.kill();
      else old.freeze();
      const began = performance.now();
      await until(async () => (await set.master()) !== old, "a new master", { within: 30_000 });
      const promoted = performance.now();
      const before = confirmed.size;
      await until(() => confirmed.size > before + 200, "messages after the failover", { within: 20_000 });
      const again = performance.now() - promoted;
      if (how === "frozen") old.thaw();
      stop.abort();
      await publishing;
      // What is on the new master, whoever was handed it: the old one may have confirmed more.
      const kept = new Set<string>();
      for (let after = "0";;) {
        const page = await broker.deadLetters.list("shop::order", {
          limit: 1000,
          ...(after !== "0" && { after }),
        });
        for (const { data } of page) kept.add(data ?? "");
        if (page.length < 1000) break;
        after = page.at(-1)?.id ?? "";
      }
      await until(
        () => [...kept].every((data) => seen.has(data)),
        "everything that is kept to be handed out",
      );
      done.abort();
      await reading;
      const lostByRedis = [...confirmed].filter((data) => !kept.has(data) && !seen.has(data));
      await broker.close();
      await t.step(
        `${confirmed.size} confirmed, ${lostByRedis.length} lost by Redis, ${failures} failures, ` +
          `new master after ${Math.round(promoted - began)} ms, work again ${Math.round(again)} ms later`,
        () => {},
      );
      assert(again < 5000, `work went on only ${again} ms after the failover`);
      assert(lostByRedis.length < confirmed.size / 10, `${lostByRedis.length} of ${confirmed.size} lost`);
      assert(failures < 2000, `${failures} failures: it spins`);
    },
  );
}
