/** D16: a key that backs off, or is slow, holds up no other, however many messages are behind it. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { StreamEntry, TextLimits } from "../../../lib/adapters/ports.ts";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { Holdings, RESTING_SIZE } from "../../../lib/subscription/holdings.ts";
import { TextShare } from "../../../lib/subscription/text_share.ts";
import { eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const hot = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => eventText("h", from + at));
const others = (count: number) => Array.from({ length: count }, (_, at) => eventText(`k${at}`, at));

/** A runner whose hot key fails until it is told otherwise. */
function failing(): { readonly runner: ScriptedRunner; mend(): void } {
  let broken = true;
  const runner = new ScriptedRunner(({ id }) => {
    if (broken && id === "h") throw new Error("no");
  });
  return { runner, mend: () => broken = false };
}

const hotCalls = (runner: ScriptedRunner) => runner.calls.filter(({ id }) => id === "h").map(({ n }) => n);

Deno.test("six hundred messages behind a key that backs off hold up no other key, and keep their order", async () => {
  const rig = new SubscriptionRig();
  const { runner, mend } = failing();
  const subscription = rig.subscribe(runner, { maxRetries: 100, retryDelaySeconds: 60 });
  await subscription.start();
  await rig.send(...hot(0, 600));
  await rig.send(...others(300));
  await rig.clock.advance(1_000);
  assertEquals(subscription.counters.handled, 300);
  assertEquals(subscription.outstanding, 600);
  mend();
  await rig.clock.advance(120_000);
  assertEquals(subscription.counters.handled, 900);
  assertEquals(hotCalls(runner).slice(-600), Array.from({ length: 600 }, (_, n) => n));
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("a slow handler of one key holds up no other key", async () => {
  const rig = new SubscriptionRig();
  const slow = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ id, n }) => id === "h" && n === 0 ? slow.promise : undefined);
  const subscription = rig.subscribe(runner, { concurrency: 2 });
  await subscription.start();
  await rig.send(...hot(0, 600));
  await rig.send(...others(300));
  await rig.clock.advance(1_000);
  assertEquals(subscription.counters.handled, 300);
  slow.resolve();
  await rig.clock.advance(1_000);
  assertEquals(hotCalls(runner), Array.from({ length: 600 }, (_, n) => n));
  await rig.close(subscription);
});

Deno.test("keys that back off, however many, hold up no other", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ n }) => {
    if (n < 0) throw new Error("no");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 2, retryDelaySeconds: 600 });
  await subscription.start();
  await rig.send(...Array.from({ length: 300 }, (_, at) => eventText(`b${at}`, -1)));
  await rig.send(...others(100));
  await rig.clock.advance(1_000);
  assertEquals(subscription.counters.handled, 100);
  await rig.clock.advance(1_000_000);
  assertEquals(subscription.counters.deadLettered, 300);
  const letters = await rig.deadLetters();
  assert(letters.every(({ data }) => (data as { n: number }).n === -1));
  await rig.close(subscription);
});

Deno.test("what waits without its text is refreshed, and handed back at the end of a drain", async () => {
  const rig = new SubscriptionRig();
  const { runner } = failing();
  const subscription = rig.subscribe(runner, {
    ...{ maxRetries: 100, retryDelaySeconds: 3_600, retryMaxDelaySeconds: 3_600 },
  });
  await subscription.start();
  await rig.send(...hot(0, 2_000));
  await rig.clock.advance(100_000);
  const kept = await rig.pending(runner);
  assertEquals(kept.length, 2_000);
  assert(kept.every(({ idleMs }) => idleMs <= 10_000));
  await rig.close(subscription);
  const left = await rig.pending(runner);
  assertEquals(left.length, 2_000);
  assert(left.every(({ idleMs, count }) => idleMs >= 3_600_000 && count <= 1));
  assertEquals(left.map(({ count }) => count).reduce((sum, count) => sum + count), 1);
});

Deno.test("what a dead process left behind a hot key is taken over whole, and in order", async () => {
  const rig = new SubscriptionRig();
  const { runner, mend } = failing();
  const first = rig.subscribe(runner, { maxRetries: 100, retryDelaySeconds: 3_600 });
  await first.start();
  await rig.send(...hot(0, 1_000));
  await rig.clock.advance(10);
  rig.kill(first);
  const second = rig.subscribe(runner, { maxRetries: 100, retryDelaySeconds: 1 });
  await second.start();
  await rig.send(...others(50));
  mend();
  await rig.clock.advance(200_000);
  assertEquals(second.counters.handled, 1_050);
  assertEquals(hotCalls(runner).slice(-1_000), Array.from({ length: 1_000 }, (_, n) => n));
  await rig.close(second);
});

Deno.test("an entry that is trimmed away while it waits without its text is lost, and holds up nobody", async () => {
  const rig = new SubscriptionRig();
  const { runner, mend } = failing();
  const gone = new Set<string>();
  const entries = rig.broker.entries.bind(rig.broker);
  rig.broker.entries = async (stream, ids) => (await entries(stream, ids)).filter(({ id }) => !gone.has(id));
  const subscription = rig.subscribe(runner, { maxRetries: 100, retryDelaySeconds: 60 });
  await subscription.start();
  await rig.send(...hot(0, 100));
  await rig.clock.advance(1_000);
  for (const { id } of (await rig.pending(runner)).slice(80, 85)) gone.add(id);
  mend();
  await rig.clock.advance(61_000);
  assertEquals([subscription.counters.handled, subscription.counters.lost], [95, 5]);
  await rig.close(subscription);
});

/** Its texts are held by nobody else, so that what is held can be counted. */
class CountingBroker extends MemoryBroker {
  fetched = 0;

  override async entries(stream: string, ids: readonly string[], limits?: TextLimits) {
    const entries: readonly StreamEntry[] = await super.entries(stream, ids);
    this.fetched += entries.length;
    assertLess(limits?.maxBytes ?? Infinity, 64 * 1024 * 1024);
    return entries;
  }
}

Deno.test("twenty thousand messages behind one key are held by their ids, and brought once", async () => {
  const rig = new SubscriptionRig();
  const broker = new CountingBroker({
    ...{ name: "default", domain: "shop", settings: {}, folder: ".", clock: rig.clock },
  });
  Object.defineProperty(rig, "broker", { value: broker });
  const { runner, mend } = failing();
  const subscription = rig.subscribe(runner, {
    maxRetries: 100,
    retryDelaySeconds: 60,
    messagesPerTick: 1_000,
  });
  await subscription.start();
  await rig.send(...hot(0, 20_000));
  await rig.send(...others(300));
  await rig.clock.advance(1_000);
  assertEquals([subscription.counters.handled, subscription.outstanding], [300, 20_000]);
  assertEquals(broker.fetched, 0);
  mend();
  await rig.clock.advance(200_000);
  assertEquals(subscription.counters.handled, 20_300);
  assertLess(broker.fetched, 22_000);
  await rig.close(subscription);
});

Deno.test("texts of those that wait are let go beyond a number and beyond a size", () => {
  const holdings = new Holdings(2, new TextShare());
  assert(holdings.mayRest(RESTING_SIZE) && !holdings.mayRest(RESTING_SIZE + 1));
  assertEquals([holdings.full, holdings.asleep], [false, 0]);
});
