/** Keys in a real Redis, with owners of Python as the others (wire 2.11). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { systemClock } from "../../lib/async/clock.ts";
import type { SubscriptionSettings } from "../../lib/subscription/settings/resolve.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { PythonPartitionOwner } from "../support/python_partition_owner.ts";
import { redisTest } from "../support/redis_server.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { until } from "../support/until.ts";
import { RedisRig } from "./redis_rig.ts";

const LEASE_MS = 600;

function subscribe(
  broker: BaseBroker,
  runner: ScriptedRunner,
  change: Partial<SubscriptionSettings> = {},
): StreamSubscription {
  return new StreamSubscription({
    ...{ runner, broker, category: CATEGORY, clock: systemClock },
    consumer: `Events-host-1-${crypto.randomUUID().slice(0, 6)}`,
    settings: { ...settings, sequentialBy: "id", retryDelaySeconds: 0, blockingTimeoutMs: 100, ...change },
    partitioning: { leaseTtlMs: LEASE_MS, heartbeatMs: 100, pollMs: 20, reapIdleMs: 3_600_000 },
  });
}

const events = (key: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => eventText(key, from + index));

redisTest(
  "keys: what Python's outbox has parted is read, also by a handler that did not ask for it",
  async () => {
    await using rig = await RedisRig.open();
    const python = new PythonPartitionOwner(rig.client(), CATEGORY, "shop.Other", "a");
    await python.publish(...events("a", 1, 3));
    const runner = new ScriptedRunner();
    const subscription = subscribe(await rig.broker(), runner, { sequentialBy: undefined });
    await subscription.start();
    await until(() => runner.log === "a1 a2 a3", "all three of them");
    await subscription.stop();
  },
);

redisTest(
  "keys: one that a Python worker owns is left to it, and taken over with what it left, in order",
  async () => {
    await using rig = await RedisRig.open();
    const runner = new ScriptedRunner();
    const python = new PythonPartitionOwner(rig.client(), CATEGORY, runner.group, "a");
    await python.publish(...events("a", 1, 3));
    assert(await python.acquire(1500));
    const [first = ""] = await python.read() ?? [];
    assertEquals(await python.ack(first), 1);
    const [left = ""] = await python.read() ?? [];
    const subscription = subscribe(await rig.broker(), runner);
    const begun = performance.now();
    await subscription.start();
    await until(() => runner.log === "a2 a3", "the rest of the key");
    assert(performance.now() - begun > 1000, "while it was leased nothing was read");
    await assertRejects(() => python.read(), Error, "FENCED");
    assertEquals(await python.ack(left), -1);
    assertEquals(await rig.client().get(`${runner.group}:a:__generation__`), "2");
    await subscription.stop();
  },
);

redisTest(
  "keys: a Python worker owns one at once that a drain gives back, with what was not begun",
  async () => {
    await using rig = await RedisRig.open();
    const gate = Promise.withResolvers<void>();
    const runner = new ScriptedRunner(({ id }) => id === "b" ? gate.promise : undefined);
    const subscription = subscribe(await rig.broker(), runner);
    const [a, b] = ["a", "b"].map((key) =>
      new PythonPartitionOwner(rig.client(), CATEGORY, runner.group, key)
    );
    assert(a && b);
    await b.publish(...events("b", 1, 2));
    await subscription.start();
    await until(() => runner.log === "b1", "the first of b");
    await a.publish(...events("a", 1, 2));
    await until(async () => await rig.client().exists(`${runner.group}:a:__lease__`) === 1, "a to be owned");
    assertEquals([await a.acquire(), await b.acquire()], [false, false]);
    const stopping = subscription.stop();
    await until(() => a.acquire(), "a to be given back");
    assertEquals(await b.acquire(), false, "its handler is at work");
    assertEquals((await a.read())?.[1], eventText("a", 1));
    gate.resolve();
    await stopping;
    assert(await b.acquire());
    assertEquals((await b.read())?.[1], eventText("b", 2), "the first was acknowledged");
  },
);

redisTest(
  "keys: a handler whose key was taken away may not commit, and nothing is acknowledged",
  async () => {
    await using rig = await RedisRig.open();
    const runner = new ScriptedRunner(({ options }) =>
      new Promise((resolve) => options.signal.addEventListener("abort", resolve))
    );
    const subscription = subscribe(await rig.broker(), runner);
    const python = new PythonPartitionOwner(rig.client(), CATEGORY, runner.group, "a");
    await python.publish(...events("a", 1, 2));
    await subscription.start();
    await until(() => runner.calls.length === 1, "its handler to be at work");
    const [call] = runner.calls;
    assert(call);
    assertEquals(call.options.mayCommit(), true);
    await rig.client().del(`${runner.group}:a:__lease__`);
    assert(await python.acquire());
    await until(() => call.options.signal.aborted, "the handler to be told");
    assertEquals(call.options.mayCommit(), false);
    assertEquals((await python.read())?.[1], eventText("a", 1));
    assertEquals(subscription.counters.lost, 1);
    await subscription.stop();
    const [group] = await (await rig.broker()).groups(`${CATEGORY}:a`);
    assertEquals([group?.pending, group?.lag], [1, 1]);
  },
);

redisTest("keys: who cannot renew a lease stops before it ends, while Redis does not answer", async () => {
  await using rig = await RedisRig.open();
  const runner = new ScriptedRunner(({ options }) =>
    new Promise((resolve) => options.signal.addEventListener("abort", resolve))
  );
  const subscription = subscribe(await rig.broker({ socket_timeout: 0.3 }), runner);
  const python = new PythonPartitionOwner(rig.client(), CATEGORY, runner.group, "a");
  await python.publish(...events("a", 1, 1));
  await subscription.start();
  await until(() => runner.calls.length === 1, "its handler to be at work");
  const [call] = runner.calls;
  rig.server.freeze();
  const begun = performance.now();
  try {
    await until(() => call?.options.mayCommit() === false, "nothing to be committed any more");
    assert(performance.now() - begun < LEASE_MS + 100, "before anybody else could own it");
  } finally {
    rig.server.thaw();
  }
  await until(() => runner.calls.length === 2, "it to be handled again");
  assertEquals(runner.log, "a1 a1", "it is owned again, and its message handled again");
  const stopping = subscription.stop();
  subscription.cut();
  await stopping;
});

redisTest("keys: one is not removed while Python has something unread on its backfill lane", async () => {
  await using rig = await RedisRig.open();
  const runner = new ScriptedRunner();
  const subscription = new StreamSubscription({
    ...{ runner, broker: await rig.broker(), category: CATEGORY, clock: systemClock },
    consumer: "Events-host-1-abcdef",
    settings: { ...settings, sequentialBy: "id", blockingTimeoutMs: 100 },
    partitioning: { leaseTtlMs: LEASE_MS, heartbeatMs: 20, pollMs: 10, reapIdleMs: 50 },
  });
  const [kept, cold] = ["a", "b"].map((key) =>
    new PythonPartitionOwner(rig.client(), CATEGORY, runner.group, key)
  );
  const client = rig.client();
  await client.xadd(`${CATEGORY}:a:backfill`, "*", "data", eventText("a", 9));
  await kept?.publish(...events("a", 1, 1));
  await subscription.start();
  try {
    await until(() => runner.log === "a1", "the key to be read");
    await cold?.publish(...events("b", 1, 1));
    await until(() => runner.log === "a1 b1", "the other key to be read");
    await until(async () => await client.exists(`${CATEGORY}:b`) === 0, "the other key to be removed");
    assertEquals(await client.smembers(`${CATEGORY}:__partitions__`), ["a"]);
    assertEquals(await client.xlen(`${CATEGORY}:a:backfill`), 1);
  } finally {
    await subscription.stop();
  }
});
