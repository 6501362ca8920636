/** What a subscription does on a parted category (S67, wire 2.11), with time that the test moves. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DeadLetter, Discard, RetryAfter } from "../../../../lib/errors.ts";
import type { SubscriptionSettings } from "../../../../lib/subscription/settings/resolve.ts";
import {
  type Call,
  CATEGORY,
  eventText,
  ScriptedRunner,
  SubscriptionRig,
} from "../../../support/subscription_rig.ts";

const PARTED = { sequentialBy: "id", retryDelaySeconds: 0 } as const;

class Parted extends SubscriptionRig {
  /** Publishes `a1 b1 a2`, each to the partition of its first letter. */
  override async publish(events: string): Promise<void> {
    const entries = events.split(" ").map((event) => {
      const [key, n] = [event.slice(0, 1), Number(event.slice(1))];
      return { stream: CATEGORY, data: eventText(key, n), partition: key };
    });
    await this.broker.publish(entries);
    await this.clock.advance(0);
  }

  halted(runner: ScriptedRunner) {
    return this.broker.partitions.halted(CATEGORY, runner.group);
  }

  async start(runner: ScriptedRunner, change: Partial<SubscriptionSettings> = {}) {
    const subscription = this.subscribe(runner, { ...PARTED, ...change });
    await subscription.start();
    await this.clock.advance(300);
    return subscription;
  }

  info(runner: ScriptedRunner) {
    return this.broker.partitions.info(CATEGORY, runner.group, 100);
  }
}

Deno.test("partitions: each key's messages are handled in order, those of different keys at once", async () => {
  const rig = new Parted();
  const gate = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ id }: Call) => id === "a" ? gate.promise : undefined);
  const subscription = await rig.start(runner, { concurrency: 4 });
  await rig.publish("a1 a2 b1 b2 b3");
  await rig.clock.advance(300);
  assertEquals(runner.log, "a1 b1 b2 b3");
  gate.resolve();
  await rig.clock.advance(300);
  assertEquals(runner.log, "a1 b1 b2 b3 a2");
  assertEquals(await rig.info(runner), { keys: 2, length: 5, lag: 0, pending: 0, consumers: 2 });
  await rig.close(subscription);
});

Deno.test("S67: a poisoned key stands still with one message pending and none dead; the others go on", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner(({ id, n }: Call) => {
    if (id === "a" && n === 0) throw new TypeError("poison");
  });
  const subscription = await rig.start(runner);
  await rig.publish("a0 a1 b0 b1 b2");
  await rig.clock.advance(2000);
  assertEquals(runner.calls.filter(({ id }) => id === "a").map(({ n }) => n), [0, 0, 0]);
  assertEquals(runner.calls.filter(({ id }) => id === "b").map(({ n }) => n), [0, 1, 2]);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(await rig.info(runner), { keys: 2, length: 5, lag: 1, pending: 1, consumers: 2 });
  const [halted, ...more] = await rig.halted(runner);
  assertEquals(more, []);
  assertEquals(halted?.key, "a");
  assertEquals(halted?.halt.attempts, 3);
  assertEquals([halted?.halt.error_type, halted?.halt.error_message], ["TypeError", "poison"]);
  assertEquals(subscription.counters.halted, 1);
  assertEquals(subscription.outstanding, 0);
  await rig.close(subscription);
});

Deno.test("a key that stood still goes on with the next message once its first is skipped", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner(({ n }: Call) => {
    if (n === 0) throw new Error("poison");
  });
  const subscription = await rig.start(runner, { maxRetries: 1 });
  await rig.publish("a0 a1");
  await rig.clock.advance(2000);
  const [halted] = await rig.halted(runner);
  assert(halted);
  const unblock = { stream: CATEGORY, group: runner.group, halted };
  assertEquals(await rig.broker.partitions.unblock(unblock), true);
  assertEquals(await rig.broker.partitions.unblock(unblock), false, "it is not there twice");
  await rig.clock.advance(2000);
  assertEquals(runner.log, "a0 a1");
  assertEquals(await rig.halted(runner), []);
  await rig.close(subscription);
});

Deno.test("a drain gives keys back at once, and the next owner makes one attempt where one stood still", async () => {
  const rig = new Parted();
  let broken = true;
  const runner = new ScriptedRunner(() => {
    if (broken) throw new Error("poison");
  });
  const first = await rig.start(runner);
  await rig.publish("a0 a1");
  await rig.clock.advance(2000);
  assertEquals(runner.log, "a0 a0 a0");
  const stopping = first.stop();
  await rig.clock.advance(10);
  await stopping;
  const second = await rig.start(runner);
  assertEquals(runner.log, "a0 a0 a0 a0");
  assertEquals((await rig.halted(runner)).length, 1);
  await second.stop();
  broken = false;
  const third = await rig.start(runner);
  await rig.clock.advance(300);
  assertEquals(runner.log, "a0 a0 a0 a0 a0 a1");
  assertEquals(await rig.halted(runner), []);
  await rig.close(third);
});

Deno.test("what a drain leaves unread or unstarted of a key is as good as new to its next owner", async () => {
  const rig = new Parted();
  const gate = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => gate.promise);
  const first = await rig.start(runner);
  await rig.publish("a0 b0 c0");
  await rig.clock.advance(300);
  assertEquals(runner.calls.length, 1);
  const stopping = first.stop();
  await rig.clock.advance(10);
  // The two that have not begun are anybody's while the third is at work.
  const other = new ScriptedRunner();
  const second = await rig.start(other);
  assertEquals(other.calls.length, 2);
  gate.resolve();
  await rig.clock.advance(10);
  await stopping;
  await rig.clock.advance(4000);
  assertEquals(other.calls.length, 2, "the third was acknowledged");
  assertEquals((await rig.info(runner))?.pending, 0);
  assertEquals([first.counters.cut, second.counters.retried, second.counters.failed], [0, 0, 0]);
  await rig.close(second);
});

Deno.test("a key that is idle for long is removed with its stream, and comes back with its next message", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner();
  const subscription = await rig.start(runner);
  await rig.publish("a0");
  await rig.clock.advance(500);
  assertEquals(await rig.broker.partitions.keys(CATEGORY), ["a"]);
  for (let minutes = 0; minutes < 62; minutes++) await rig.clock.advance(60_000);
  assertEquals(await rig.broker.partitions.keys(CATEGORY), []);
  await rig.publish("a1");
  await rig.clock.advance(500);
  assertEquals(runner.log, "a0 a1");
  await rig.close(subscription);
});

Deno.test("what stands on the whole category is read beside its partitions", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner();
  const subscription = await rig.start(runner);
  await rig.send(eventText("a", 1));
  await rig.publish("b1");
  await rig.clock.advance(500);
  assertEquals(runner.log, "a1 b1");
  await rig.close(subscription);
});

Deno.test("a handler that says so sends a key's message to the dead letters, and the key goes on", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner(({ n }: Call) => {
    if (n === 0) throw new DeadLetter("nobody wants it");
    if (n === 1) throw new Discard("nor that");
    if (n === 2 && runner.calls.length < 4) throw new RetryAfter(5_000, "not yet");
  });
  const subscription = await rig.start(runner);
  await rig.publish("a0 a1 a2 a3");
  await rig.clock.advance(1000);
  assertEquals(runner.log, "a0 a1 a2");
  await rig.clock.advance(6000);
  assertEquals(runner.log, "a0 a1 a2 a2 a3");
  const [letter] = await rig.deadLetters();
  assertStringIncludes(JSON.stringify(letter), `"original_stream":"${CATEGORY}:a"`);
  assertEquals([await rig.halted(runner), (await rig.info(runner))?.pending], [[], 0]);
  await rig.close(subscription);
});

Deno.test("what fails on a key does not open the circuit breaker for the others", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner(({ id }: Call) => {
    if (id !== "z") throw new Error("poison");
  });
  const subscription = await rig.start(runner, { maxRetries: 3, circuitBreakerThreshold: 5 });
  await rig.publish("a1 b1 c1 d1 e1 f1");
  await rig.clock.advance(2000);
  assertEquals(subscription.counters.failed, 18);
  await rig.publish("z1");
  await rig.clock.advance(500);
  assertEquals(subscription.counters.handled, 1);
  assertEquals(subscription.status().breaker, "closed");
  await rig.close(subscription);
});

Deno.test("of many keys those without anything to do are given back, and owned again when there is", async () => {
  const rig = new Parted();
  const runner = new ScriptedRunner();
  const keys = Array.from({ length: 2_300 }, (_, index) => `k${index}`);
  const publish = async (n: number) => {
    await rig.broker.publish(
      keys.map((key) => ({ stream: CATEGORY, data: eventText(key, n), partition: key })),
    );
  };
  const subscription = await rig.start(runner);
  await publish(1);
  await rig.clock.advance(3500);
  assertEquals(runner.calls.length, keys.length);
  const { partitions } = rig.broker;
  let free = 0;
  for (const key of keys) {
    const options = { group: runner.group, key, owner: "other", ttlMs: 15_000, renewMs: 3_000 };
    const lease = await partitions.lease(options);
    if (lease) free++;
    await lease?.[Symbol.asyncDispose]();
  }
  assert(free >= 200, `${free} are free`);
  await publish(2);
  await rig.clock.advance(7000);
  assertEquals(runner.calls.length, 2 * keys.length);
  await rig.close(subscription);
});

Deno.test("whatever fails, starts and stops: each key in order, every message at least once", async () => {
  const rig = new Parted();
  const random = seeded(7);
  const upTo = (ms: number) => Math.floor(random() * ms);
  const done = new Map<string, number[]>();
  const runner = new ScriptedRunner(async ({ id, n, options }: Call) => {
    await new Promise<void>((resolve) => rig.clock.after(upTo(300), resolve));
    if (random() < 0.2) throw new Error("bad luck");
    if (!options.mayCommit()) return;
    done.set(id, [...done.get(id) ?? [], n]);
  });
  const servers: Awaited<ReturnType<typeof rig.start>>[] = [];
  let n = 0;
  for (let round = 0; round < 60; round++) {
    if (servers.length < 2 || random() < 0.2) {
      servers.push(
        await rig.start(runner, {
          maxRetries: 99,
          maxDeliveries: 99,
          retryDelaySeconds: 0.05,
          concurrency: 3,
        }),
      );
    }
    n++;
    await rig.publish(["a", "b", "c", "d", "e"].map((key) => `${key}${n}`).join(" "));
    await rig.clock.advance(upTo(500));
    if (servers.length > 2 || random() < 0.1) {
      const stopping = servers.shift()?.stop();
      await rig.clock.advance(upTo(400));
      void stopping;
    }
  }
  if (servers.length === 0) servers.push(await rig.start(runner, { maxRetries: 99, maxDeliveries: 99 }));
  await rig.clock.advance(120_000);
  const expected = Array.from({ length: n }, (_, index) => index + 1);
  for (const key of ["a", "b", "c", "d", "e"]) assertEquals(done.get(key), expected, key);
  await rig.close(...servers);
});

/** Numbers from 0, below 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
