/** What a subscription does when its broker fails in the middle of something. */
import { assert, assertEquals } from "@std/assert";
import { replayLane } from "../../../lib/message/names.ts";
import { CATEGORY, ONE_ATTEMPT, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

Deno.test("acknowledgements do not wait for a slow neighbour: they leave by themselves after milliseconds (design 11)", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ id }) =>
    id === "b" ? release.promise : new Promise<void>((resolve) => void rig.clock.after(1, resolve))
  );
  const subscription = rig.subscribe(runner, { blockingTimeoutMs: 60_000 });
  await subscription.start();
  await rig.publish("a1 b1");
  await rig.clock.advance(10);
  assertEquals(runner.log, "a1 b1");
  assertEquals((await rig.pending(runner)).length, 1);
  release.resolve();
  await rig.close(subscription);
});

Deno.test("entries of a read whose answer was lost are run in order, and their first run is the first attempt (delivery 2)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("never");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 3, retryDelaySeconds: 0 });
  let lost = 0;
  rig.broker.fault = (operation, group) =>
    operation === "read" && group.stream === CATEGORY && lost++ === 0 ? "lose" : undefined;
  await rig.publish("a1 a2");
  await subscription.start();
  await rig.clock.advance(0);
  await rig.publish("a3");
  await rig.clock.advance(10_000);
  assertEquals(runner.log, "a1 a1 a1 a2 a2 a2 a3 a3 a3");
  assertEquals(subscription.counters.recovered, 2);
  await rig.close(subscription);
});

Deno.test("an acknowledgement on the replay lane that failed is sent again, and the lane becomes empty", async () => {
  const rig = new SubscriptionRig();
  const { runner, subscription, mend } = await rig.deadLetter("a1");
  mend();
  const lane = replayLane(CATEGORY, runner.group);
  let refused = 0;
  rig.broker.fault = (operation, group) =>
    operation === "ack" && group.stream === lane && refused++ === 0 ? "refuse" : undefined;
  await rig.replayAll(runner);
  await rig.clock.advance(5_000);
  assertEquals(runner.log, "a1 a1");
  assertEquals(await subscription.replaysWaiting(), 1);
  await rig.clock.advance(5_000);
  assertEquals(refused, 2);
  assertEquals(await subscription.replaysWaiting(), 0);
  await rig.close(subscription);
});

Deno.test("replays are read on while there are any, not one batch at an interval", async () => {
  const rig = new SubscriptionRig();
  const numbers = Array.from({ length: 40 }, (_, n) => n);
  const { runner, subscription, mend } = await rig.deadLetter(numbers.map((n) => `a${n}`).join(" "), {
    messagesPerTick: 2,
  });
  mend();
  await rig.replayAll(runner);
  await rig.clock.advance(5_100);
  assertEquals(runner.calls.slice(40).map(({ n }) => n), numbers);
  assertEquals(await subscription.replaysWaiting(), 0);
  await rig.close(subscription);
});

Deno.test("a message that is being dead-lettered while its ownership is refreshed is not taken for lost", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("never");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  const answer = Promise.withResolvers<void>();
  rig.broker.fault = (operation) => operation === "deadLetter" ? { after: answer.promise } : undefined;
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(30_000);
  answer.resolve();
  await rig.clock.advance(10);
  assertEquals(subscription.counters.deadLettered, 1);
  assertEquals(subscription.counters.lost, 0);
  assertEquals(subscription.outstanding, 0);
  await rig.close(subscription);
});

Deno.test("a recovered message whose acknowledgement is under way is neither lost nor cut", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const dead = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "dead" });
  await dead.ensure();
  await rig.publish("a1");
  await dead.read({ count: 10 });
  await rig.clock.advance(30_000);
  const answer = Promise.withResolvers<void>();
  rig.broker.fault = (operation) => operation === "ack" ? { after: answer.promise } : undefined;
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.clock.advance(30_000);
  assertEquals(runner.log, "a1");
  const stopping = subscription.stop();
  subscription.cut();
  assertEquals(subscription.abandon(), 0);
  await rig.clock.advance(2000);
  await stopping;
  assertEquals(subscription.counters.cut, 0);
  assertEquals(subscription.counters.lost, 0);
  answer.resolve();
  await rig.broker.close();
});

Deno.test("everything pending is released when the answer of a large read was lost right before the end (delivery 7)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, { messagesPerTick: 1500 });
  rig.broker.fault = (operation) => operation === "read" ? "lose" : undefined;
  await rig.publish(Array.from({ length: 1500 }, (_, n) => `a${n}`).join(" "));
  await subscription.start();
  await rig.clock.advance(0);
  await rig.close(subscription);
  const pending = await rig.pending(runner);
  assertEquals(pending.length, 1500);
  assert(pending.every(({ idleMs, count }) => idleMs >= 3_600_000 && count === 0));
});

for (
  const operation of [
    "ensure",
    "pending",
    "read",
    "attempt",
    "ack",
    "deadLetter",
    "release",
    "close",
  ] as const
) {
  Deno.test(`stops within a second of being given up when the broker never answers '${operation}'`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner(({ id }) => {
      if (id === "a") throw new Error("fails");
    });
    const dead = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "dead" });
    await dead.ensure();
    await rig.publish("a1 b1");
    await dead.read({ count: 10 });
    await rig.clock.advance(30_000);
    const subscription = rig.subscribe(runner, { maxRetries: 2, retryDelaySeconds: 0 });
    rig.broker.fault = (asked) => asked === operation ? "hang" : undefined;
    await subscription.start();
    await rig.publish("a2 b2");
    await rig.clock.advance(10);
    let stopped = false;
    const stopping = subscription.stop().then(() => stopped = true);
    await rig.clock.advance(1000);
    subscription.cut();
    await rig.clock.advance(1000);
    subscription.abandon();
    await rig.clock.advance(1100);
    assert(stopped);
    await stopping;
    assertEquals(subscription.counters.cut, 0);
    await rig.broker.close();
  });
}

Deno.test("a retry that the broker is being asked for when the subscription stops is not started, nor counted (DRN-2)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("fails");
  });
  const subscription = rig.subscribe(runner, { retryDelaySeconds: 1 });
  await subscription.start();
  await rig.publish("a1");
  const answer = Promise.withResolvers<void>();
  rig.broker.fault = (operation) => operation === "attempt" ? { after: answer.promise } : undefined;
  await rig.clock.advance(1000);
  const stopping = subscription.stop();
  answer.resolve();
  await rig.clock.advance(2000);
  await stopping;
  assertEquals(runner.log, "a1");
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [1]);
  await rig.broker.close();
});

Deno.test("nothing is started, and no timer left, when the broker answers after the subscription was given up", async () => {
  for (const fault of ["before", "lose"] as const) {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner(() => {
      throw new Error("fails");
    });
    const subscription = rig.subscribe(runner, { retryDelaySeconds: 1 });
    await subscription.start();
    await rig.publish("a1");
    const answer = Promise.withResolvers<void>();
    let asked = false;
    rig.broker.fault = (operation) => {
      if (operation !== "attempt") return undefined;
      asked = true;
      return { [fault === "before" ? "before" : "after"]: answer.promise } as { before: Promise<void> };
    };
    await rig.clock.advance(1000);
    assert(asked);
    const stopping = subscription.stop();
    subscription.abandon();
    await rig.clock.advance(2000);
    await stopping;
    answer.resolve();
    await rig.clock.advance(10_000);
    assertEquals(runner.log, "a1");
    assertEquals(rig.clock.pending, 0);
    await rig.broker.close();
  }
});
