/** The backfill lane of a subscription (PIPE-12): what can wait is handled while nothing else is there. */
import { assert, assertEquals } from "@std/assert";
import { deadLetterStream, replayLane } from "../../../lib/message/names.ts";
import { CATEGORY, eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const BACKFILL = `${CATEGORY}:backfill`;

class LaneRig extends SubscriptionRig {
  /** Publishes `a1 b1 a2` to the backfill lane. */
  async later(events: string): Promise<void> {
    const texts = events.split(" ").map((event) => eventText(event.slice(0, 1), Number(event.slice(1))));
    await this.broker.publish(texts.map((data) => ({ stream: BACKFILL, data })));
    await this.clock.advance(0);
  }

  lettersOf(stream: string) {
    return this.broker.deadLetters.list(deadLetterStream(stream), { limit: 100 });
  }
}

const many = (key: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${key}${index + 1}`).join(" ");

for (const blockingTimeoutMs of [1, 100, 5_000, 3_600_000]) {
  Deno.test(`the backfill lane moves while the primary has nothing, also when its reads block for ${blockingTimeoutMs} ms`, async () => {
    const rig = new LaneRig();
    const runner = new ScriptedRunner();
    const subscription = rig.subscribe(runner, { backfill: BACKFILL, blockingTimeoutMs });
    await subscription.start();
    await rig.later("a1 a2");
    await rig.clock.advance(1_100);
    assertEquals(runner.log, "a1 a2");
    await rig.later("a3");
    await rig.clock.advance(1_100);
    assertEquals(runner.log, "a1 a2 a3");
    assertEquals((await rig.broker.groups(BACKFILL)).map(({ pending, lag }) => [pending, lag]), [[0, 0]]);
    await rig.close(subscription);
  });
}

Deno.test("what is on the primary goes before all that can wait, however much of it came first", async () => {
  const rig = new LaneRig();
  const runner = new ScriptedRunner();
  await rig.later(many("b", 40));
  await rig.publish(many("a", 40));
  const subscription = rig.subscribe(runner, { backfill: BACKFILL });
  await subscription.start();
  await rig.clock.advance(3_000);
  assertEquals(runner.log, `${many("a", 40)} ${many("b", 40)}`);
  await rig.close(subscription);
});

Deno.test("what comes on the primary meanwhile overtakes what was read and has not begun", async () => {
  const rig = new LaneRig();
  const runner = new ScriptedRunner(async ({ id, n }) => {
    if (id === "b" && n === 2) await rig.broker.publish([{ stream: CATEGORY, data: eventText("a", 1) }]);
    // The read of the primary has its answer before the next one starts.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  });
  const subscription = rig.subscribe(runner, { backfill: BACKFILL });
  await subscription.start();
  await rig.later(many("b", 10));
  await rig.clock.advance(3_000);
  assertEquals(runner.calls.length, 11);
  const at = runner.log.split(" ").indexOf("a1");
  assert(at >= 2 && at <= 4, runner.log);
  await rig.close(subscription);
});

Deno.test("the backfill lane waits while the primary is busy", async () => {
  const rig = new LaneRig();
  const gate = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ id }) => id === "a" ? gate.promise : undefined);
  const subscription = rig.subscribe(runner, { backfill: BACKFILL, messagesPerTick: 2 });
  await subscription.start();
  await rig.publish(many("a", 20));
  await rig.later("b1");
  await rig.clock.advance(10_000);
  assertEquals(runner.log, "a1");
  assertEquals((await rig.broker.groups(BACKFILL))[0]?.lag, 1);
  gate.resolve();
  await rig.clock.advance(2_000);
  assertEquals(runner.log, `${many("a", 20)} b1`);
  await rig.close(subscription);
});

Deno.test("messages of one aggregate never run at once, whichever lanes they are on", async () => {
  const rig = new LaneRig();
  let running = 0;
  let most = 0;
  const runner = new ScriptedRunner(async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  });
  const subscription = rig.subscribe(runner, { backfill: BACKFILL, concurrency: 8 });
  await subscription.start();
  await rig.later(many("a", 30));
  await rig.publish("a101 a102 a103");
  await rig.clock.advance(3_000);
  assertEquals([runner.calls.length, most], [33, 1]);
  await rig.close(subscription);
});

Deno.test("each lane has its own dead letters; both are replayed to the group, and fail again as what they were", async () => {
  const rig = new LaneRig();
  let broken = true;
  const sources: unknown[] = [];
  const runner = new ScriptedRunner(({ options }) => {
    sources.push(options.source);
    if (broken) throw new Error("bug");
  });
  const subscription = rig.subscribe(runner, { backfill: BACKFILL, maxRetries: 1 });
  await subscription.start();
  await rig.publish("a1");
  await rig.later("b1");
  await rig.clock.advance(2_000);
  const [[ofPrimary], [ofBackfill]] = [await rig.lettersOf(CATEGORY), await rig.lettersOf(BACKFILL)];
  const facts = (data = "{}") => JSON.parse(data)._dlq_metadata;
  assertEquals(facts(ofPrimary?.data).original_stream, CATEGORY);
  assertEquals(facts(ofBackfill?.data).original_stream, BACKFILL);

  const lane = replayLane(CATEGORY, runner.group);
  const replay = (stream: string, id = "") =>
    rig.broker.deadLetters.replay(deadLetterStream(stream), id, lane, runner.group);
  assert(await replay(BACKFILL, ofBackfill?.id));
  await rig.clock.advance(6_000);
  const again = (await rig.lettersOf(CATEGORY)).map(({ data }) => facts(data)).find(({ replay_count }) =>
    replay_count === 1
  );
  assertEquals(again.original_stream, BACKFILL);
  assertEquals(again.original_id, facts(ofBackfill?.data).original_id);

  broken = false;
  for (const { id } of await rig.lettersOf(CATEGORY)) assert(await replay(CATEGORY, id));
  await rig.clock.advance(6_000);
  assertEquals(subscription.counters.handled, 2);
  await rig.close(subscription);
});

Deno.test("what a dead consumer left on the backfill lane is claimed; a group that goes there is made again", async () => {
  const rig = new LaneRig();
  const runner = new ScriptedRunner();
  await rig.later("b1 b2");
  const dead = rig.broker.group({ stream: BACKFILL, group: runner.group, consumer: "dead" });
  await dead.ensure();
  await dead.read({ count: 1 });
  const subscription = rig.subscribe(runner, { backfill: BACKFILL });
  await subscription.start();
  await rig.clock.advance(40_000);
  assertEquals(runner.log.split(" ").toSorted(), ["b1", "b2"]);
  await rig.broker.deadLetters.purge(BACKFILL);
  await rig.clock.advance(2_000);
  await rig.later("b3");
  await rig.clock.advance(5_000);
  assertEquals(runner.log.split(" ").at(-1), "b3");
  assertEquals(subscription.counters.groupsRecreated, 1);
  await rig.close(subscription);
});

Deno.test("retention trims both lanes", async () => {
  const rig = new LaneRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, {
    backfill: BACKFILL,
    retentionMaxlen: 5,
    messagesPerTick: 500,
  });
  await subscription.start();
  await rig.publish(many("a", 9).replaceAll("a", "c"));
  await rig.later(many("b", 9));
  await rig.clock.advance(12_000);
  for (const stream of [CATEGORY, BACKFILL]) assertEquals(await rig.broker.length(stream), 5, stream);
  await rig.close(subscription);
});

Deno.test("the circuit breaker is one for both lanes: while it is open neither is read, and both go on afterwards", async () => {
  const rig = new LaneRig();
  let broken = true;
  const runner = new ScriptedRunner(() => {
    if (broken) throw new Error("away");
  });
  const subscription = rig.subscribe(runner, {
    ...{ backfill: BACKFILL, maxRetries: 1, circuitBreakerThreshold: 3, circuitBreakerResetSeconds: 10 },
    messagesPerTick: 3,
  });
  await subscription.start();
  await rig.later(many("b", 9));
  await rig.clock.advance(2_000);
  assertEquals(runner.calls.length, 3);
  await rig.publish(many("a", 3));
  await rig.clock.advance(2_000);
  assertEquals(runner.calls.length, 3);
  broken = false;
  await rig.clock.advance(30_000);
  assertEquals(subscription.counters.handled, 9);
  assertEquals([(await rig.lettersOf(CATEGORY)).length, (await rig.lettersOf(BACKFILL)).length], [0, 3]);
  await rig.close(subscription);
});

for (const lane of [CATEGORY, BACKFILL]) {
  Deno.test(`a read of ${lane} that never ends is seen by the liveness probe`, async () => {
    const rig = new LaneRig();
    const subscription = rig.subscribe(new ScriptedRunner(), { backfill: BACKFILL });
    await subscription.start();
    await rig.clock.advance(60_000);
    assertEquals(subscription.stuck, false);
    const gate = Promise.withResolvers<void>();
    rig.broker.fault = (operation, { stream }) =>
      operation === "read" && stream === lane ? { before: gate.promise } : undefined;
    await rig.clock.advance(33_000);
    assertEquals(subscription.stuck, true);
    gate.resolve();
    await rig.clock.advance(2_000);
    assertEquals(subscription.stuck, false);
    await rig.close(subscription);
  });
}
