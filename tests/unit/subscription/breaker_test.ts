/** The circuit breaker of a subscription (S50, S52, S79; wire 10.9). */
import { assertEquals } from "@std/assert";
import { Discard, ProviderUnavailableError, RetryAfter } from "../../../lib/mod.ts";
import { harmless } from "../../../lib/domain/observer.ts";
import { Breaker } from "../../../lib/subscription/breaker.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { type Call, ONE_ATTEMPT, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const THREE = { ...ONE_ATTEMPT, circuitBreakerThreshold: 3, circuitBreakerResetSeconds: 60 } as const;

/** A subscription with a breaker of three, whose handler fails while `broken`. */
function broken(rig: SubscriptionRig, work: (call: Call) => unknown = () => {}, change = {}) {
  const state = { broken: true };
  const told: string[] = [];
  const runner = new ScriptedRunner((call) => {
    if (state.broken) throw new Error("bug");
    return work(call);
  });
  const subscription = rig.subscribe(runner, {
    ...THREE,
    ...change,
    observer: { happened: () => {}, breaker: (to, failures) => told.push(`${to} ${failures}`) },
  });
  return { state, told, runner, subscription };
}

Deno.test("S50: so many failures in a row open it once; a success in between begins the count anew", () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const settings = { circuitBreakerThreshold: 3, circuitBreakerResetSeconds: 60 };
  const breaker = new Breaker({
    name: "s",
    clock,
    settings,
    changed: (to, count) => told.push(`${to} ${count}`),
  });
  breaker.failed();
  breaker.failed();
  assertEquals([breaker.state, breaker.failures], ["closed", 2]);
  breaker.succeeded();
  assertEquals([breaker.state, breaker.failures], ["closed", 0]);
  for (let failures = 0; failures < 3; failures++) breaker.failed();
  assertEquals(breaker.state, "open");
  breaker.failed();
  breaker.failed();
  assertEquals(told, ["open 3"]);
  // One that had begun before ends well.
  breaker.succeeded();
  assertEquals(breaker.state, "open");
  breaker.close();
  assertEquals(clock.pending, 0);
});

Deno.test("an open breaker takes and reads nothing, then tries one message; its success lets all go on", async () => {
  const rig = new SubscriptionRig();
  const { state, told, runner, subscription } = broken(rig, () => {}, { concurrency: 4, messagesPerTick: 3 });
  await subscription.start();
  await rig.publish("a1 b1 c1");
  await rig.clock.advance(10);
  await rig.publish("d1 e1 f1 g1 h1 i1 j1");
  await rig.clock.advance(59_000);
  assertEquals([runner.log, subscription.status().breaker], ["a1 b1 c1", "open"]);
  assertEquals(subscription.stuck, false);
  await rig.clock.advance(2_000);
  // Half open, one failed: the time runs anew.
  assertEquals([runner.calls.length, subscription.status().breaker], [4, "open"]);
  await rig.clock.advance(58_000);
  assertEquals(runner.calls.length, 4);
  state.broken = false;
  await rig.clock.advance(3_000);
  assertEquals([runner.calls.length, subscription.status().breaker], [10, "closed"]);
  assertEquals(told, ["open 3", "half_open 3", "open 4", "half_open 4", "closed 4"]);
  await rig.clock.advance(5_000);
  assertEquals(await rig.pending(runner), []);
  assertEquals((await rig.deadLetters()).length, 4);
  await rig.close(subscription);
});

Deno.test("half open, no more than one message is at work, and one that says nothing is followed by the next", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const { state, runner, subscription } = broken(rig, ({ id }) => {
    if (id === "d") throw new RetryAfter(3_600_000);
    return release.promise;
  }, { concurrency: 4 });
  await subscription.start();
  await rig.publish("a1 b1 c1");
  await rig.clock.advance(10);
  state.broken = false;
  await rig.publish("d1 e1 f1");
  await rig.clock.advance(62_000);
  assertEquals(runner.log, "a1 b1 c1 d1 e1");
  assertEquals(subscription.status().breaker, "half_open");
  release.resolve();
  await rig.clock.advance(1_000);
  assertEquals([runner.log, subscription.status().breaker], ["a1 b1 c1 d1 e1 f1", "closed"]);
  await rig.close(subscription);
});

Deno.test("the retries of a few messages that cannot succeed open nothing: each counts once until it is decided", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id < "d") throw new Error("refused");
  });
  const change = { maxRetries: 4, retryDelaySeconds: 1, circuitBreakerThreshold: 4, concurrency: 16 };
  const subscription = rig.subscribe(runner, change);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  // Nine failures in a row, then three more.
  await rig.clock.advance(3_900);
  await rig.publish("d1");
  await rig.clock.advance(100);
  assertEquals([subscription.counters.handled, subscription.status().breaker], [1, "closed"]);
  await rig.clock.advance(10_000);
  assertEquals([runner.calls.length, (await rig.deadLetters()).length], [13, 3]);
  assertEquals(subscription.status().breaker, "closed");
  await rig.close(subscription);
});

Deno.test("different messages that fail in a row open it, whatever is tried again between them", async () => {
  const rig = new SubscriptionRig();
  const { told, subscription } = broken(rig, () => {}, { maxRetries: 4, retryDelaySeconds: 1 });
  await subscription.start();
  for (const id of ["a1", "b1"]) {
    await rig.publish(id);
    await rig.clock.advance(20_000);
  }
  // Eight attempts, two dead letters.
  assertEquals([subscription.counters.deadLettered, subscription.status().breaker], [2, "closed"]);
  await rig.publish("c1");
  await rig.clock.advance(10);
  assertEquals(told, ["open 3"]);
  await rig.close(subscription);
});

Deno.test("half open, messages that were not tried yet come before those that fail again", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id < "d") throw new Error("bug");
  });
  const change = { maxRetries: 10, retryDelaySeconds: 1, circuitBreakerThreshold: 3 };
  const subscription = rig.subscribe(runner, change);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  // Nothing else is there: one that has failed is tried, and opens it again.
  await rig.clock.advance(62_000);
  assertEquals([runner.calls.length, subscription.status().breaker], [4, "open"]);
  await rig.publish("d1");
  await rig.clock.advance(62_000);
  // The three could fail once a minute for hours.
  assertEquals([runner.log.includes("d1"), subscription.counters.handled], [true, 1]);
  assertEquals(subscription.status().breaker, "closed");
  await rig.close(subscription);
});

Deno.test("neither a backend that is away nor a decision nor a message that nobody can read moves it (PIPE-5, S79)", async () => {
  const rig = new SubscriptionRig();
  let away = true;
  const runner = new ScriptedRunner(({ id, n }) => {
    if (id === "a") throw new RetryAfter(3_600_000);
    if (id === "b") throw new Discard("old");
    if (id === "c" && away) throw new ProviderUnavailableError("The database does not answer.");
    if (n > 100) throw new Error("bug");
  });
  const subscription = rig.subscribe(runner, THREE);
  await subscription.start();
  const unread = Array.from({ length: 10 }, (_, n) => `no message ${n}`);
  await rig.send(...unread);
  await rig.publish("a1 a2 b1 b2 b3 b4");
  await rig.clock.advance(100);
  await rig.publish("c1 d1 e1 f1");
  await rig.clock.advance(60_000);
  away = false;
  await rig.clock.advance(60_000);
  assertEquals(subscription.status().breaker, "closed");
  const { counters } = subscription;
  assertEquals([counters.deadLettered, counters.declined, counters.handled], [10, 4, 4]);
  await rig.close(subscription);
});

Deno.test("what a dead process left is taken over while it is half open, and tried", async () => {
  const rig = new SubscriptionRig();
  const { state, runner, subscription } = broken(rig);
  const dead = rig.subscribe(new ScriptedRunner(() => new Promise(() => {})), { concurrency: 2 });
  await dead.start();
  await rig.publish("x1 y1");
  await rig.clock.advance(10);
  rig.kill(dead);
  // Its last read is over.
  await rig.clock.advance(1_500);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  await rig.clock.advance(10);
  assertEquals(subscription.status().breaker, "open");
  state.broken = false;
  await rig.clock.advance(100_000);
  assertEquals([subscription.counters.handled, subscription.status().breaker], [2, "closed"]);
  assertEquals(runner.log, "a1 b1 c1 x1 y1");
  await rig.close(subscription);
});

Deno.test("what has failed in a process before comes in a row after a restart, and opens nothing", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id < "x") throw new Error("refused");
  });
  const change = { maxRetries: 4, retryDelaySeconds: 5, circuitBreakerThreshold: 4, concurrency: 16 };
  const first = rig.subscribe(runner, change);
  await first.start();
  await rig.publish("a1 b1 c1 x1");
  await rig.clock.advance(10);
  await first.stop();
  const second = rig.subscribe(runner, { ...change, circuitBreakerThreshold: 3 });
  await second.start();
  await rig.publish("y1");
  await rig.clock.advance(200_000);
  assertEquals([second.counters.handled, (await rig.deadLetters()).length], [1, 3]);
  assertEquals(second.status().breaker, "closed");
  assertEquals(runner.calls.length, 14);
  await rig.close(second);
});

Deno.test("dead letters that are replayed and fail again hold nobody up", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id < "x") throw new Error("refused");
  });
  const subscription = rig.subscribe(runner, THREE);
  await subscription.start();
  for (const id of ["a1", "x1", "b1", "x2", "c1", "x3", "d1", "x4"]) {
    await rig.publish(id);
    await rig.clock.advance(10);
  }
  assertEquals((await rig.deadLetters()).length, 4);
  await rig.replayAll(runner);
  await rig.clock.advance(30_000);
  await rig.publish("y1");
  await rig.clock.advance(10);
  const { counters, breaker } = subscription.status();
  assertEquals([counters.deadLettered, counters.handled, breaker], [8, 5, "closed"]);
  await rig.close(subscription);
});

Deno.test("a subscription that stops with its breaker open hands everything back, and leaves no timer", async () => {
  const rig = new SubscriptionRig();
  const { runner, subscription } = broken(rig, () => {}, { maxRetries: 5 });
  await subscription.start();
  await rig.publish("a1 b1 c1 d1 e1");
  await rig.clock.advance(10);
  assertEquals(subscription.status().breaker, "open");
  const stopping = subscription.stop();
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals(rig.clock.pending, 0);
  assertEquals((await rig.pending(runner)).map(({ idleMs, count }) => [idleMs > 3_600_000, count]), [
    [true, 1],
    [true, 1],
    [true, 1],
    [true, 0],
    [true, 0],
  ]);
  await rig.broker.close();
});

Deno.test("S52: an observer that throws changes nothing of what becomes of messages", async () => {
  const rig = new SubscriptionRig();
  const throwing = () => {
    throw new Error("no exporter");
  };
  const observer = harmless({
    subscription: () => ({ happened: throwing, declined: throwing, breaker: throwing }),
  }).subscription?.({ handler: "h", category: "c", group: "g" });
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "b") throw new Discard("old");
    if (id !== "c") throw new Error("bug");
  });
  const subscription = rig.subscribe(runner, { ...THREE, observer });
  await subscription.start();
  await rig.publish("b1 a1 d1 e1");
  await rig.clock.advance(10);
  assertEquals(subscription.status().breaker, "open");
  await rig.publish("c1");
  await rig.clock.advance(62_000);
  const { counters } = subscription;
  assertEquals([counters.declined, counters.deadLettered, counters.handled], [1, 3, 1]);
  assertEquals(subscription.status().breaker, "closed");
  await rig.close(subscription);
});
