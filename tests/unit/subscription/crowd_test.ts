import { assertEquals } from "@std/assert";
import { Crowd } from "../../../lib/async/crowd.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

Deno.test("of a backlog no more handlers begin than may wait for a database together (PERF-5)", async () => {
  const rig = new SubscriptionRig();
  const crowd = new Crowd(3);
  const commits: (() => void)[] = [];
  let most = 0;
  const runner = new ScriptedRunner(() => {
    const { promise, resolve } = Promise.withResolvers<void>();
    commits.push(resolve);
    most = Math.max(most, commits.length);
    return crowd.inside(promise);
  });
  const subscription = rig.subscribe(runner, { concurrency: 8, crowd });
  await rig.publish("a1 b1 c1 d1 e1 f1 g1 h1");
  await subscription.start();
  await rig.clock.advance(10);
  assertEquals(runner.calls.length, 3);
  while (commits.length > 0) {
    commits.shift()?.();
    await rig.clock.advance(0);
  }
  assertEquals([runner.calls.length, most], [8, 3]);
  await rig.close(subscription);
});

Deno.test("a handler that waits for no database is held up by a full crowd for a second at most", async () => {
  const rig = new SubscriptionRig();
  const crowd = new Crowd(1);
  void crowd.inside(new Promise(() => {}));
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, { crowd });
  await rig.publish("a1");
  await subscription.start();
  await rig.clock.advance(10);
  assertEquals(runner.log, "");
  await rig.clock.advance(1000);
  assertEquals(runner.log, "a1");
  await rig.close(subscription);
});
