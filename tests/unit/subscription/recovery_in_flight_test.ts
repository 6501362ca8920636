/** What is delivered to us and still on its way is not lost: a large answer may take longer than the threshold. */
import { assertEquals } from "@std/assert";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

Deno.test("an answer that takes longer than the claim threshold is handled once", async () => {
  const rig = new SubscriptionRig();
  const answer = Promise.withResolvers<void>();
  const runner = new ScriptedRunner();
  rig.broker.fault = (operation) => operation === "read" ? { after: answer.promise } : undefined;
  await rig.publish("a1 b1 a2");
  const subscription = rig.subscribe(runner, { claimIdleMs: 1_000, claimIntervalMs: 500 });
  await subscription.start();
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "");
  answer.resolve();
  await rig.clock.advance(10_000);
  assertEquals([runner.log, subscription.counters.recovered], ["a1 b1 a2", 0]);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("what a claim left with us that nobody heard of is taken over beside the reads that follow", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, { claimIdleMs: 3_000, claimIntervalMs: 500 });
  // A claim that was answered to nobody: the entries are ours, and no read has failed.
  let lost = 0;
  rig.broker.fault = (operation) => operation === "claim" && lost++ === 0 ? "lose" : undefined;
  const group = rig.broker.group({
    stream: rig.category,
    group: runner.group,
    consumer: "gone-host-2-000009",
  });
  await group.ensure();
  await rig.publish("a1 b1");
  await group.read({ count: 10 });
  await rig.clock.advance(4_000);
  await subscription.start();
  await rig.clock.advance(20_000);
  assertEquals([runner.log, lost > 1], ["a1 b1", true]);
  await rig.close(subscription);
});
