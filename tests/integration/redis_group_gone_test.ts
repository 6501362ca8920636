/**
 * A group, a stream or single entries that are taken away under a subscription on Redis (PIPE-6, PIPE-7, F12, S49).
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../lib/async/clock.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import type { SubscriptionSettings } from "../../lib/subscription/settings/resolve.ts";
import { logged } from "../support/logged.ts";
import { redisTest } from "../support/redis_server.ts";
import { pause } from "../support/until.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { RedisRig, until } from "./redis_rig.ts";

const SECOND = 1000;

async function running(rig: RedisRig, runner: ScriptedRunner, change: Partial<SubscriptionSettings> = {}) {
  const broker = await rig.broker();
  const subscription = new StreamSubscription({
    runner,
    category: CATEGORY,
    broker,
    settings: { ...settings, blockingTimeoutMs: 200, ...change },
    consumer: "OrderEventHandler-host-1-00000a",
    clock: systemClock,
  });
  await subscription.start();
  const publish = (...events: string[]) =>
    broker.publish(events.map((event) => ({
      stream: CATEGORY,
      data: eventText(event.slice(0, 1), Number(event.slice(1))),
    })));
  return { broker, subscription, publish, client: rig.client() };
}

redisTest(
  "a group that is dropped while nothing happens is made again, told once, and nothing is lost",
  async () => {
    await using rig = await RedisRig.open();
    const runner = new ScriptedRunner();
    const { subscription, publish, client } = await running(rig, runner);
    const records = await logged(async () => {
      await publish("a1");
      await until(() => subscription.counters.handled === 1, "the first");
      await client.xgroup("DESTROY", CATEGORY, runner.group);
      const began = performance.now();
      await publish("a2");
      await until(() => runner.log.endsWith("a2"), "the one after", 6 * SECOND);
      assert(performance.now() - began < 5 * SECOND);
      await until(() => subscription.outstanding === 0, "quiet");
    });
    await subscription.stop();
    assertEquals(subscription.counters.groupsRecreated, 1);
    const told = records.map(({ rawMessage }) => rawMessage).filter((name) =>
      String(name).includes("group_")
    );
    assertEquals(told, ["subscription.group_missing", "subscription.group_recreated"]);
    // From the beginning, as it was made at first: at least once.
    assertEquals(runner.log, "a1 a1 a2");
  },
);

for (const concurrency of [1, 8]) {
  redisTest(
    `a group dropped in the middle of a backlog, ${concurrency} at once: all is handled, nothing at once, nothing dead`,
    async () => {
      await using rig = await RedisRig.open();
      const keys = new Set<string>();
      let doubled = 0;
      const runner: ScriptedRunner = new ScriptedRunner(async ({ id, n, options }) => {
        if (keys.has(id) && !options.signal.aborted) doubled++;
        keys.add(id);
        await pause(1);
        keys.delete(id);
        if (n === 7 && runner.calls.filter((call) => call.id === id && call.n === n).length === 1) {
          throw new Error("once");
        }
      });
      const { subscription, publish, client, broker } = await running(rig, runner, {
        concurrency,
        retryDelaySeconds: 0.1,
      });
      const events = Array.from(
        { length: 200 },
        (_, index) => `${"abcdefghij"[index % 10]}${Math.floor(index / 10)}`,
      );
      await publish(...events);
      await until(() => runner.calls.length >= 40, "forty starts");
      await client.xgroup("DESTROY", CATEGORY, runner.group);
      await until(
        () => events.every((event) => runner.calls.filter(({ id, n }) => `${id}${n}` === event).length > 0),
        "all",
      );
      await until(async () => {
        const [group] = await broker.groups(CATEGORY);
        return group?.lag === 0 && group.pending === 0;
      }, "acknowledged");
      await subscription.stop();
      assertEquals([doubled, subscription.counters.groupsRecreated, subscription.counters.deadLettered], [
        0,
        1,
        0,
      ]);
    },
  );
}

redisTest("a flushed server is read on within five seconds, on the stream that is made anew", async () => {
  await using rig = await RedisRig.open();
  const runner = new ScriptedRunner();
  const { subscription, publish, client } = await running(rig, runner);
  await publish("a1");
  await until(() => subscription.counters.handled === 1, "the first");
  await client.flushall();
  await publish("a2");
  await until(() => runner.log === "a1 a2", "the one after", 5 * SECOND);
  await subscription.stop();
  assertEquals(subscription.counters.groupsRecreated, 1);
});

redisTest(
  "another type in place of the stream is waited out, with pauses, and read on afterwards",
  async () => {
    await using rig = await RedisRig.open();
    const runner = new ScriptedRunner();
    const { subscription, publish, client } = await running(rig, runner);
    await publish("a1");
    await until(() => subscription.counters.handled === 1, "the first");
    await client.multi().del(CATEGORY).set(CATEGORY, "text").exec();
    const calls = async () =>
      Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
    const before = await calls();
    await new Promise((resolve) => setTimeout(resolve, SECOND));
    // Presence shows itself once a second; a tight loop would have made thousands.
    assert(await calls() - before < 50, `${await calls() - before} reads in a second`);
    await client.del(CATEGORY);
    await publish("a2");
    await until(() => runner.log === "a1 a2", "the one after");
    await subscription.stop();
  },
);

redisTest(
  "F12: entries trimmed away while they were pending are acknowledged and counted, and the loop goes on",
  async () => {
    await using rig = await RedisRig.open();
    const runner = new ScriptedRunner();
    const other = await rig.broker();
    const client = rig.client();
    await client.xgroup("CREATE", CATEGORY, runner.group, "0", "MKSTREAM");
    const texts = ["a1", "b1", "c1"].map((event) => eventText(event.slice(0, 1), 1));
    const results = await other.publish(texts.map((data) => ({ stream: CATEGORY, data })));
    const ids = results.map((result) => "id" in result ? result.id : "");
    await client.xreadgroup("GROUP", runner.group, "dead", "COUNT", 3, "STREAMS", CATEGORY, ">");
    await client.xdel(CATEGORY, ids[0] ?? "", ids[2] ?? "");
    const { subscription, publish } = await running(rig, runner, { claimIdleMs: 1, claimIntervalMs: 50 });
    await until(() => subscription.counters.trimmed === 2, "two trimmed");
    await publish("d1");
    await until(() => runner.calls.length === 2, "the other two");
    assertEquals(runner.log.split(" ").toSorted(), ["b1", "d1"]);
    await until(async () => (await other.groups(CATEGORY))[0]?.pending === 0, "nothing pending");
    await subscription.stop();
    assertEquals([subscription.counters.deadLettered, subscription.counters.failed], [0, 0]);
  },
);

redisTest(
  "F12: what is trimmed under a handler, a message that waits and one that backs off ends nothing",
  async () => {
    await using rig = await RedisRig.open();
    const gate = Promise.withResolvers<void>();
    const runner = new ScriptedRunner(async ({ id }) => {
      if (id === "a") await gate.promise;
      if (id === "b") throw new Error("backs off");
    });
    const { subscription, publish, client } = await running(rig, runner, {
      ...{ concurrency: 2, claimIdleMs: 300, claimIntervalMs: 100, retryDelaySeconds: 0.5 },
    });
    await publish("a1", "a2", "b1", "b2");
    await until(() => runner.calls.length >= 2, "two starts");
    await client.xtrim(CATEGORY, "MAXLEN", 0);
    await publish("c1");
    await until(() => runner.log.includes("c1"), "the one after");
    gate.resolve();
    await until(() => subscription.outstanding === 0, "quiet");
    await until(
      async () => Number((await client.xpending(CATEGORY, runner.group))[0]) === 0,
      "nothing pending",
    );
    await publish("d1");
    await until(() => runner.log.includes("d1"), "the last");
    await subscription.stop();
    assertEquals(subscription.counters.deadLettered, 0);
  },
);
