/**
 * What a dead process left: queued messages run like any other, those that may have killed it one at a time
 * (delivery 23, D17).
 */
import { assert, assertEquals } from "@std/assert";
import { blame } from "../../../lib/domain/backends.ts";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { CATEGORY, eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const IN_FLIGHT = 8;

/** Numbered messages, each of a stream of its own. */
function texts(count: number): string[] {
  return Array.from({ length: count }, (_, n) => eventText(`k${n}`, n));
}

/** A consumer that reads everything and dies; so many of its messages have been started again by others. */
async function left(rig: SubscriptionRig, group: string, events: readonly string[], restarted = 0) {
  const dead = rig.broker.group({ stream: CATEGORY, group, consumer: "dead" });
  await dead.ensure();
  await rig.send(...events);
  const entries = await dead.read({ count: events.length });
  for (const { id } of entries.slice(0, restarted)) await dead.attempt(id);
  await rig.clock.advance(30_000);
}

Deno.test("a message that was started twice without an outcome runs alone, and is acknowledged before the next", async () => {
  const rig = new SubscriptionRig();
  const pendingAtStart: number[] = [];
  const runner = new ScriptedRunner(async () => {
    pendingAtStart.push((await rig.pending(runner)).length);
  });
  await left(rig, runner.group, texts(3), 3);
  const subscription = rig.subscribe(runner, { concurrency: 8 });
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(pendingAtStart, [3, 2, 1]);
  await rig.close(subscription);
});

Deno.test("where two starts are all that is allowed, whatever was read is a suspect", async () => {
  const rig = new SubscriptionRig();
  const pendingAtStart: number[] = [];
  const runner = new ScriptedRunner(async () => {
    pendingAtStart.push((await rig.pending(runner)).length);
  });
  await left(rig, runner.group, texts(3));
  const subscription = rig.subscribe(runner, { concurrency: 8, maxDeliveries: 2 });
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(pendingAtStart, [3, 2, 1]);
  await rig.close(subscription);
});

Deno.test("what was merely queued runs at once, in the order of its key, and each start is counted first", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  await left(
    rig,
    runner.group,
    ["a1", "b1", "a2", "c1"].map((name) => eventText(name[0] ?? "", Number(name[1]))),
  );
  const subscription = rig.subscribe(runner, { concurrency: 8 });
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(runner.log, "a1 b1 c1");
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [2, 2, 1, 2]);
  release.resolve();
  await rig.clock.advance(100);
  assertEquals(runner.log, "a1 b1 c1 a2");
  await rig.close(subscription);
});

Deno.test("a dead process's backlog is worked off as fast as a new one, however much is claimed at a time (D17)", async () => {
  const took = async (dead: boolean): Promise<number> => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner(() => new Promise<void>((done) => rig.clock.after(100, done)));
    const subscription = rig.subscribe(runner, { concurrency: IN_FLIGHT });
    if (dead) await left(rig, runner.group, texts(400));
    else await rig.send(...texts(400));
    const began = rig.clock.monotonic();
    await subscription.start();
    while (subscription.counters.handled < 400) {
      assert(
        rig.clock.monotonic() - began < 60_000,
        `${subscription.counters.handled} of 400 after a minute`,
      );
      await rig.clock.advance(50);
    }
    const ms = rig.clock.monotonic() - began;
    await rig.close(subscription);
    return ms;
  };
  const [clean, recovered] = [await took(false), await took(true)];
  assert(recovered <= 1.3 * clean, `${recovered} ms instead of ${clean} ms`);
});

Deno.test("nothing new is read while something of the dead is left for want of room (D6)", async () => {
  const rig = new SubscriptionRig();
  const seen = new Map<string, number[]>();
  const runner = new ScriptedRunner(({ id, n }) => {
    seen.set(id, [...seen.get(id) ?? [], n]);
    return new Promise<void>((done) => rig.clock.after(100, done));
  });
  const order = (from: number) => Array.from({ length: 400 }, (_, n) => eventText(`k${n % 40}`, from + n));
  await left(rig, runner.group, order(0));
  await rig.send(...order(400));
  const subscription = rig.subscribe(runner, { concurrency: IN_FLIGHT });
  await subscription.start();
  while (subscription.counters.handled < 800) await rig.clock.advance(1000);
  for (const [key, numbers] of seen) assertEquals([key, numbers], [key, numbers.toSorted((a, b) => a - b)]);
  await rig.close(subscription);
});

Deno.test("during a pause nothing more of the dead is taken over, afterwards all of it, in order and uncounted", async () => {
  const rig = new SubscriptionRig();
  const seen = new Map<string, number[]>();
  let away = true;
  const runner = new ScriptedRunner(({ id, n }) => {
    if (away) {
      throw blame(new ProviderUnavailableError("It does not answer."), { kind: "provider", name: "x" });
    }
    seen.set(id, [...seen.get(id) ?? [], n]);
  });
  await left(rig, runner.group, Array.from({ length: 1_000 }, (_, n) => eventText(`k${n % 500}`, n)));
  const subscription = rig.subscribe(runner, { concurrency: IN_FLIGHT });
  await subscription.start();
  const ofTheDead = async () =>
    (await rig.pending(runner)).filter(({ consumer }) => consumer === "dead").length;
  await rig.clock.advance(5_000);
  const before = await ofTheDead();
  assert(before > 0);
  await rig.clock.advance(600_000);
  assertEquals(await ofTheDead(), before);
  away = false;
  await rig.clock.advance(10_000);
  assertEquals([subscription.counters.handled, (await rig.deadLetters()).length], [1_000, 0]);
  for (const [key, numbers] of seen) assertEquals([key, numbers], [key, numbers.toSorted((a, b) => a - b)]);
  await rig.close(subscription);
});

for (const maxDeliveries of [2, 3, 5]) {
  for (const poison of [0, 5, 50]) {
    Deno.test(`message ${poison} of a hundred kills its process: ${maxDeliveries} crashes, one dead letter, the others handled (PIPE-2)`, async () => {
      const rig = new SubscriptionRig();
      const handled = new Set<number>();
      let crashes = 0;
      let letters = 0;
      await rig.send(...texts(100));
      for (let process = 1; letters === 0; process++) {
        assert(process <= maxDeliveries + 1, "it kills one process after the other");
        let alive = true;
        const runner = new ScriptedRunner(async ({ n }) => {
          if (n === poison) {
            crashes++;
            alive = false;
            rig.kill(subscription);
          }
          await new Promise<void>((done) => rig.clock.after(100, done));
          if (alive) handled.add(n);
        });
        const subscription = rig.subscribe(runner, {
          concurrency: IN_FLIGHT,
          messagesPerTick: 100,
          maxDeliveries,
        });
        await subscription.start();
        for (let second = 0; second < 40 && alive; second++) await rig.clock.advance(1000);
        letters = (await rig.deadLetters()).length;
        if (alive) {
          while (handled.size < 99) await rig.clock.advance(1000);
          assertEquals(await rig.pending(runner), []);
          await rig.close(subscription);
        }
      }
      assertEquals([crashes, letters], [maxDeliveries, 1]);
      assertEquals(handled.has(poison), false);
    });
  }
}

Deno.test("what another service's process has counted by reading it twice is a suspect too", async () => {
  const rig = new SubscriptionRig();
  let running = 0;
  let most = 0;
  const runner = new ScriptedRunner(async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((done) => rig.clock.after(10, done));
    running--;
  });
  // Python reads its own pending entries again after each failure, which is all that counts there.
  await left(rig, runner.group, texts(4), 4);
  const subscription = rig.subscribe(runner, { concurrency: 8 });
  await subscription.start();
  await rig.clock.advance(1000);
  assertEquals([runner.calls.length, most], [4, 1]);
  await rig.close(subscription);
});
