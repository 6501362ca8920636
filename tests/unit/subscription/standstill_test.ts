/**
 * A process that stood still starts nothing before it has asked what is still its own (D19); refusals are
 * told (D21).
 */
import { assert, assertEquals } from "@std/assert";
import { RefusedError } from "../../../lib/errors.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { logged } from "../../support/logged.ts";
import { CATEGORY, ONE_ATTEMPT, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

/**
 * Time goes on by `ms` and nothing of ours moves; a machine that is suspended notices by its wall clock
 * alone.
 */
function standStill({ clock }: SubscriptionRig, ms: number, scale: "monotonic" | "now" = "monotonic"): void {
  const before = clock[scale].bind(clock);
  clock[scale] = () => before() + ms;
}

/** Reads two messages, the second of which waits for the first; then another process claims the second. */
async function withQueuedOneClaimed() {
  const rig = new SubscriptionRig();
  const first = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ n }) => n === 1 ? first.promise : undefined);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b2");
  assertEquals(runner.log, "a1");
  const thief = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "thief" });
  const claim = async () => {
    const entry = (await rig.pending(runner)).at(-1);
    assert(entry);
    assertEquals((await thief.claim([{ id: entry.id, from: entry.consumer }], 0)).length, 1);
  };
  return { rig, runner, subscription, first, claim };
}

for (const scale of ["monotonic", "now"] as const) {
  const when = scale === "now" ? "the machine was suspended" : "a standstill";
  Deno.test(`after ${when} what another has claimed meanwhile is not started`, async () => {
    const { rig, runner, subscription, first, claim } = await withQueuedOneClaimed();
    await claim();
    standStill(rig, 6_000, scale);
    first.resolve();
    await rig.clock.advance(0);
    assertEquals([runner.log, subscription.counters.lost], ["a1", 1]);
    await rig.publish("c3");
    assertEquals(runner.log, "a1 c3");
    await rig.close(subscription);
  });
}

Deno.test("after a standstill a handler that runs is told within a second that its message is another's", async () => {
  const { rig, runner, subscription, first, claim } = await withQueuedOneClaimed();
  first.resolve();
  await rig.clock.advance(0);
  const second = Promise.withResolvers<void>();
  runner.work = () => second.promise;
  await rig.publish("a3");
  const options = runner.calls.at(-1)?.options;
  assert(options);
  await claim();
  standStill(rig, 6_000);
  await rig.clock.advance(1_000);
  assertEquals([options.signal.aborted, options.mayCommit(), runner.log], [true, false, "a1 b2 a3"]);
  second.resolve();
  await rig.clock.advance(0);
  await rig.close(subscription);
});

Deno.test("while the broker does not say what is ours nothing is started, and then it is", async () => {
  const { rig, runner, subscription, first } = await withQueuedOneClaimed();
  let refused = 0;
  rig.broker.fault = (operation) => operation === "refresh" && refused++ < 3 ? "refuse" : undefined;
  standStill(rig, 6_000);
  first.resolve();
  await rig.clock.advance(0);
  assertEquals(runner.log, "a1");
  await rig.clock.advance(20_000);
  assertEquals([runner.log, subscription.counters.lost], ["a1 b2", 0]);
  await rig.close(subscription);
});

Deno.test("a process that moves asks nothing before a start", async () => {
  const { rig, runner, subscription, first } = await withQueuedOneClaimed();
  let asked = 0;
  rig.broker.fault = (operation) => {
    if (operation === "refresh") asked++;
    return undefined;
  };
  await rig.clock.advance(2_500);
  first.resolve();
  await rig.clock.advance(0);
  assertEquals([runner.log, asked], ["a1 b2", 0]);
  await rig.close(subscription);
});

Deno.test("a dead-letter stream that the broker refuses is told of once for each message, and tried on (D21)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("no");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  const group = rig.broker.group.bind(rig.broker);
  let refusing = true;
  rig.broker.group = (options) => {
    const made = group(options);
    const deadLetter = made.deadLetter.bind(made);
    made.deadLetter = (...args) =>
      refusing ? Promise.reject(new RefusedError("The key holds something else.")) : deadLetter(...args);
    return made;
  };
  const records = await logged(async () => {
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(30_000);
    refusing = false;
    await rig.clock.advance(30_000);
    await rig.close(subscription);
  });
  assertEquals(records.filter(({ rawMessage }) => rawMessage === "subscription.broker_refused").length, 1);
  assertEquals((await rig.deadLetters()).length, 1);
});

Deno.test("a broker that refuses to keep messages ours is told while a handler is at work, and that it ended", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const first = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => first.promise);
  const subscription = rig.subscribe(runner, { health });
  const fault = () => health.fault("broker", "default");
  await subscription.start();
  await rig.publish("a1");
  rig.broker.fault = (operation) => operation === "refresh" ? "refuse" : undefined;
  await rig.clock.advance(20_000);
  assert(fault()?.includes("does not answer"), String(fault()));
  rig.broker.fault = () => undefined;
  await rig.clock.advance(5_000);
  assertEquals(fault(), undefined);
  first.resolve();
  await rig.close(subscription);
});

Deno.test("what a pass was refused is tried again within five seconds, however rare the passes are", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  // Of the lane of replays everything is answered all the while.
  rig.broker.fault = (operation, { stream }) =>
    operation === "pending" && stream === CATEGORY ? "refuse" : undefined;
  const subscription = rig.subscribe(new ScriptedRunner(), { health, claimIntervalMs: 600_000 });
  const fault = () => health.fault("broker", "default");
  await subscription.start();
  await rig.clock.advance(9_000);
  assert(fault()?.includes("does not answer"), String(fault()));
  rig.broker.fault = () => undefined;
  await rig.clock.advance(5_000);
  assertEquals(fault(), undefined);
  await rig.close(subscription);
});
