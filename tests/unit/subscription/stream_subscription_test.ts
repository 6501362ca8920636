import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ConfigurationError, ProviderUnavailableError } from "../../../lib/errors.ts";
import {
  CATEGORY,
  eventText,
  ONE_ATTEMPT,
  ScriptedRunner,
  SubscriptionRig,
} from "../../support/subscription_rig.ts";

const meta = (letter: Record<string, unknown> | undefined) =>
  (letter?.["_dlq_metadata"] ?? {}) as Record<string, unknown>;

Deno.test("handles every message of its category in order and acknowledges it", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner);
  await rig.publish("a1 b1 a2 c1");
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(runner.log, "a1 b1 a2 c1");
  assertEquals(await rig.pending(runner), []);
  assertEquals(subscription.outstanding, 0);
  assertEquals(subscription.counters.handled, 4);
  await rig.close(subscription);
  assertEquals(rig.clock.pending, 0);
});

Deno.test("retries with backoff up to max_retries attempts in all, then dead-letters once with the reason (S1, DLQ-3)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new TypeError("amount is negative");
  });
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  assertEquals(runner.log, "a1");
  await rig.clock.advance(999);
  assertEquals(runner.log, "a1");
  await rig.clock.advance(1);
  assertEquals(runner.log, "a1 a1");
  await rig.clock.advance(2000);
  assertEquals(runner.log, "a1 a1 a1");
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 a1 a1");
  const letters = await rig.deadLetters();
  assertEquals(letters.length, 1);
  assertEquals(letters[0]?.["data"], { id: "a", n: 1 });
  assertEquals(meta(letters[0])["retry_count"], 3);
  assertEquals(meta(letters[0])["handler"], "OrderEventHandler");
  assertEquals(meta(letters[0])["error_type"], "TypeError");
  assertEquals(meta(letters[0])["original_stream"], CATEGORY);
  assertStringIncludes(String(meta(letters[0])["failure_reason"]), "amount is negative");
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("lets other streams go on while one backs off, and keeps that stream's order (PIPE-3, delivery 4)", async () => {
  const rig = new SubscriptionRig();
  let broken = true;
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a" && broken) throw new Error("not yet");
  });
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 a2 b2 a3");
  assertEquals(runner.log, "a1 b1 b2");
  broken = false;
  await rig.clock.advance(1000);
  assertEquals(runner.log, "a1 b1 b2 a1 a2 a3");
  await rig.close(subscription);
});

Deno.test("lets the messages behind a dead letter proceed", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id, n }) => {
    if (id === "a" && n === 1) throw new Error("never");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  await subscription.start();
  await rig.publish("a1 a2");
  await rig.clock.advance(10);
  assertEquals(runner.log, "a1 a2");
  assertEquals((await rig.deadLetters()).length, 1);
  await rig.close(subscription);
});

Deno.test("never runs two messages of one stream at once, however high the concurrency", async () => {
  const rig = new SubscriptionRig();
  const running = new Map<string, number>();
  let most = 0;
  const runner = new ScriptedRunner(async ({ id }) => {
    running.set(id, (running.get(id) ?? 0) + 1);
    assertEquals(running.get(id), 1);
    most = Math.max(most, [...running.values()].reduce((sum, count) => sum + count, 0));
    await new Promise<void>((resolve) => void rig.clock.after(10, resolve));
    running.set(id, (running.get(id) ?? 0) - 1);
  });
  const subscription = rig.subscribe(runner, { concurrency: 4 });
  await rig.publish("a1 a2 a3 b1 b2 c1 d1 a4");
  await subscription.start();
  await rig.clock.advance(200);
  assertEquals(runner.calls.length, 8);
  assertEquals(runner.calls.filter(({ id }) => id === "a").map(({ n }) => n), [1, 2, 3, 4]);
  assertEquals(most, 4);
  await rig.close(subscription);
});

Deno.test("pauses reading while the database is away, and reads on when it is not", async () => {
  const rig = new SubscriptionRig();
  let broken = true;
  const runner = new ScriptedRunner(() => {
    if (broken) throw new ProviderUnavailableError("no");
  });
  const subscription = rig.subscribe(runner, { messagesPerTick: 2, maxRetries: 100, retryDelaySeconds: 5 });
  await subscription.start();
  const keys = [..."abcdefghijklmnopqrstuvwxyz"];
  await rig.publish(keys.map((key) => `${key}1`).join(" "));
  assert(subscription.outstanding <= 10, `${subscription.outstanding} outstanding`);
  broken = false;
  await rig.clock.advance(10_000);
  assertEquals(new Set(runner.calls.map(({ id }) => id)), new Set(keys));
  assertEquals(subscription.counters.handled, 26);
  await rig.close(subscription);
});

for (
  const [what, text, reason] of [
    ["not JSON", "{broken", "JSON"],
    ["no metadata", '{"data":{}}', "metadata"],
    ["a wrong checksum", eventText("a", 1).replace('"n":1', '"n":2'), "checksum"],
    ["not an object", "[1]", "object"],
  ] as const
) {
  Deno.test(`dead-letters ${what} once, without running or retrying, and goes on (PIPE-5, S8)`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner();
    const subscription = rig.subscribe(runner);
    await subscription.start();
    await rig.send(text);
    await rig.publish("b1");
    await rig.clock.advance(60_000);
    assertEquals(runner.log, "b1");
    const letters = await rig.deadLetters();
    assertEquals(letters.length, 1);
    assertStringIncludes(String(meta(letters[0])["failure_reason"]), reason);
    assertEquals(await rig.pending(runner), []);
    await rig.close(subscription);
  });
}

for (const kind of ["ignored", "foreign", "expired"] as const) {
  Deno.test(`acknowledges a message judged ${kind} without running it`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner();
    runner.judge = () => ({ kind });
    const subscription = rig.subscribe(runner);
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(100);
    assertEquals(runner.log, "");
    assertEquals(subscription.counters[kind], 1);
    assertEquals(await rig.pending(runner), []);
    assertEquals(await rig.deadLetters(), []);
    await rig.close(subscription);
  });
}

Deno.test("two failures are all of max_retries 2, and the second one dead-letters (S2)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("no");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 2, retryDelaySeconds: 0 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(100);
  assertEquals([runner.log, subscription.counters.retried], ["a1 a1", 1]);
  assertEquals((await rig.deadLetters()).map((letter) => meta(letter)["retry_count"]), [2]);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("a dead-letter stream that refuses once gets the message at the next try, which alone acknowledges it (S4, S5)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("no");
  });
  const tries: number[] = [];
  rig.broker.fault = (operation) => {
    if (operation !== "deadLetter") return undefined;
    tries.push(rig.clock.monotonic());
    return tries.length === 1 ? "refuse" : undefined;
  };
  const subscription = rig.subscribe(runner, { ...ONE_ATTEMPT, retryDelaySeconds: 0.25 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(10);
  assertEquals([tries.length, await rig.deadLetters()], [1, []]);
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [1], "it is kept, with its count");
  await rig.clock.advance(60_000);
  assertEquals([tries.length, runner.log], [2, "a1"], "its handler is not run for it again");
  assertEquals((await rig.deadLetters()).map((letter) => meta(letter)["retry_count"]), [1]);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("discards after the last attempt when the dead-letter queue is off (S6)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("no");
  });
  const subscription = rig.subscribe(runner, { ...ONE_ATTEMPT, enableDlq: false });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(100);
  assertEquals(subscription.counters.discarded, 1);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("a backend that is away costs no attempt: the message waits and is handled when it is back", async () => {
  const rig = new SubscriptionRig();
  let away = true;
  const runner = new ScriptedRunner(() => {
    if (away) throw new ProviderUnavailableError("The database does not answer.");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 2 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(300_000);
  assert(runner.calls.length > 5);
  assertEquals(await rig.deadLetters(), []);
  assertEquals((await rig.pending(runner))[0]?.count, 1);
  away = false;
  await rig.clock.advance(80_000);
  assertEquals(subscription.counters.handled, 1);
  await rig.close(subscription);
});

Deno.test("claims what a dead consumer left, once its claim threshold has passed, and runs it once (S48, PIPE-1)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const dead = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "dead" });
  await dead.ensure();
  await rig.publish("a1 a2");
  assertEquals((await dead.read({ count: 10 })).length, 2);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.clock.advance(29_000);
  assertEquals(runner.log, "");
  await rig.clock.advance(6_000);
  assertEquals(runner.log, "a1 a2");
  assertEquals(subscription.counters.recovered, 2);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("dead-letters a recovered message at max_deliveries without running it, and its batch-mates run (PIPE-2)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const dead = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "dead" });
  await dead.ensure();
  await rig.publish("a1 b1");
  const [poison] = await dead.read({ count: 10 });
  assert(poison);
  for (let crash = 0; crash < 4; crash++) await dead.attempt(poison.id);
  const subscription = rig.subscribe(runner);
  await rig.clock.advance(30_000);
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(runner.log, "b1");
  const letters = await rig.deadLetters();
  assertEquals(letters.length, 1);
  assertEquals(meta(letters[0])["retry_count"], 5);
  await rig.close(subscription);
});

Deno.test("what a drain handed back unstarted runs as if newly read, beside other messages and in order (delivery 7)", async () => {
  const rig = new SubscriptionRig();
  const first = new ScriptedRunner(() => new Promise(() => {}));
  const drained = rig.subscribe(first);
  await drained.start();
  await rig.publish("a1 b1 c1 a2");
  const stopping = drained.stop();
  drained.cut();
  drained.abandon();
  await rig.clock.advance(2000);
  await stopping;
  assertEquals((await rig.pending(first)).map(({ count }) => count), [0, 0, 0, 0]);

  const release = Promise.withResolvers<void>();
  const second = new ScriptedRunner(() => release.promise);
  const successor = rig.subscribe(second, { concurrency: 3 });
  await successor.start();
  await rig.publish("b2");
  await rig.clock.advance(100);
  assertEquals(second.log, "a1 b1 c1");
  // Each was counted before it was started: if it kills this process, the next one suspects it.
  assertEquals((await rig.pending(second)).map(({ count }) => count), [1, 1, 1, 0, 1]);
  release.resolve();
  await rig.clock.advance(100);
  assertEquals(second.log, "a1 b1 c1 a2 b2");
  await rig.close(successor);
});

Deno.test("keeps the claim of a long-running handler alive, so that nobody else runs it (PIPE-4)", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const first = new ScriptedRunner(() => release.promise);
  const second = new ScriptedRunner();
  const one = rig.subscribe(first);
  const two = rig.subscribe(second);
  await one.start();
  await rig.publish("a1");
  await two.start();
  await rig.clock.advance(300_000);
  assertEquals(second.log, "");
  release.resolve();
  await rig.clock.advance(100);
  assertEquals(one.counters.handled, 1);
  assertEquals(await rig.pending(first), []);
  await rig.close(one, two);
});

Deno.test("aborts a running handler whose message another consumer has claimed, and refuses its commit (delivery 1)", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  const call = runner.calls[0];
  assert(call);
  const signal = call.options.signal;
  const thief = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "thief" });
  const [entry] = await rig.pending(runner);
  assert(entry);
  assertEquals((await thief.claim([{ id: entry.id, from: entry.consumer }], 0)).length, 1);
  await rig.clock.advance(10_000);
  assert(signal.aborted);
  assertEquals(call.options.mayCommit(), false);
  release.reject(new Error("aborted"));
  await rig.clock.advance(100);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(subscription.counters.lost, 1);
  assertEquals(subscription.outstanding, 0);
  await rig.close(subscription);
});

Deno.test("leaves the acknowledgement to whoever has claimed the message, also when the aborted handler returns (delivery 1)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ options: { signal } }) =>
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
  );
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  const thief = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "thief" });
  const [entry] = await rig.pending(runner);
  assert(entry);
  assertEquals((await thief.claim([{ id: entry.id, from: entry.consumer }], 0)).length, 1);
  await rig.clock.advance(10_000);
  assertEquals(subscription.counters.handled, 0);
  assertEquals(subscription.counters.lost, 1);
  assertEquals((await rig.pending(runner)).map(({ consumer }) => consumer), ["thief"]);
  await rig.close(subscription);
});

Deno.test("reads its replay lane, runs what is there, and a second failure goes back to the stream's own dead letters (delivery 19)", async () => {
  const rig = new SubscriptionRig();
  const { runner, subscription, mend } = await rig.deadLetter("a1");
  await rig.replayAll(runner);
  await rig.clock.advance(5_000);
  const letters = await rig.deadLetters();
  assertEquals(letters.length, 1);
  assertEquals(meta(letters[0])["original_stream"], CATEGORY);
  assertEquals(meta(letters[0])["replay_count"], 1);
  mend();
  await rig.replayAll(runner);
  await rig.clock.advance(5_000);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(await subscription.replaysWaiting(), 0);
  assertEquals(runner.log, "a1 a1 a1");
  await rig.close(subscription);
});

Deno.test("a category whose name looks like a replay lane's has its dead letters beside itself, and they are replayed to it", async () => {
  const rig = new SubscriptionRig("desk:replay:eu");
  const { runner, subscription, mend } = await rig.deadLetter("a1");
  const [letter] = await rig.deadLetters();
  assertEquals(meta(letter)["original_stream"], "desk:replay:eu");
  assertEquals(await rig.broker.deadLetters.depth("desk:dlq"), 0);
  await rig.replayAll(runner);
  await rig.clock.advance(5_000);
  assertEquals((await rig.deadLetters()).map((each) => meta(each)["replay_count"]), [1]);
  mend();
  await rig.replayAll(runner);
  await rig.clock.advance(5_000);
  assertEquals([runner.log, await subscription.replaysWaiting()], ["a1 a1 a1", 0]);
  await rig.close(subscription);
});

Deno.test("stopping lets the running handler finish, acknowledges it, and starts nothing more (DRN-2)", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  const stopping = subscription.stop();
  await rig.clock.advance(1000);
  release.resolve();
  await rig.clock.advance(1000);
  await stopping;
  assertEquals(runner.log, "a1");
  assertEquals(subscription.counters.cut, 0);
  // What was read and never started is handed back uncounted, to be claimed at once (delivery 7).
  const pending = await rig.pending(runner);
  assertEquals(pending.map(({ count }) => count), [0, 0]);
  assert(pending.every(({ idleMs }) => idleMs >= 3_600_000));
  await rig.broker.close();
});

Deno.test("a handler cut by the drain keeps its attempt, cannot commit, and its message is released (PIPE-16, F4)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => new Promise(() => {}));
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  const call = runner.calls[0];
  assert(call);
  const stopping = subscription.stop();
  await rig.clock.advance(10_000);
  assertEquals(call.options.signal.aborted, false);
  subscription.cut();
  assert(call.options.signal.aborted);
  assert(call.options.mayCommit());
  await rig.clock.advance(1000);
  subscription.abandon();
  assertEquals(call.options.mayCommit(), false);
  await rig.clock.advance(1000);
  await stopping;
  assertEquals(subscription.counters.cut, 1);
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [0]);
  const next = new ScriptedRunner();
  const successor = rig.subscribe(next);
  await successor.start();
  await rig.clock.advance(100);
  assertEquals(next.log, "a1");
  await rig.close(successor);
});

Deno.test("a handler that was given up and never ends is no longer kept as ours: nothing is refreshed, no timer is left", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => new Promise(() => {}));
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  const stopping = subscription.stop();
  subscription.cut();
  subscription.abandon();
  await rig.clock.advance(2000);
  await stopping;
  await rig.clock.advance(60_000);
  // Handed back, as if idle for a day: anyone may have it at once (delivery 7).
  assertEquals((await rig.pending(runner)).map(({ idleMs }) => idleMs >= 86_400_000), [true]);
  assertEquals(rig.clock.pending, 0);
  await rig.broker.close();
});

Deno.test("a message that backs off when the server stops keeps the attempts it has made", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("no");
  });
  const subscription = rig.subscribe(runner, { retryDelaySeconds: 100, retryMaxDelaySeconds: 100 });
  await subscription.start();
  await rig.publish("a1");
  const stopping = subscription.stop();
  await rig.clock.advance(2000);
  await stopping;
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [1]);
  await rig.broker.close();
});

Deno.test("starts again after it was stopped, and goes on where it was", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(100);
  const stopping = subscription.stop();
  await rig.clock.advance(2000);
  await stopping;
  await rig.publish("a2");
  await subscription.start();
  await rig.clock.advance(100);
  assertEquals(runner.log, "a1 a2");
  await rig.close(subscription);
});

Deno.test("a message that this process is still publishing is handled once it is marked, and others meanwhile (F21)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const marked = Promise.withResolvers<void>();
  const subscription = rig.subscribe(runner, {
    concurrency: 2,
    published: (id) => id === `${CATEGORY}-a-1.1` ? marked.promise : undefined,
  });
  await subscription.start();
  await rig.publish("a1 b1 a2 b2");
  assertEquals(runner.log, "b1 b2");
  marked.resolve();
  await rig.clock.advance(0);
  assertEquals(runner.log, "b1 b2 a1 a2");
  await rig.close(subscription);
});

Deno.test("a stop does not wait for what is being published: the message is handed back unstarted", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, { published: () => new Promise(() => {}) });
  await subscription.start();
  await rig.publish("a1");
  const stopping = subscription.stop();
  await rig.clock.advance(2000);
  await stopping;
  assertEquals([runner.log, (await rig.pending(runner)).map(({ count }) => count)], ["", [0]]);
  await rig.broker.close();
});

for (const refused of ["ensure", "pending", "trim", "sweep"] as const) {
  Deno.test(`what else is to be maintained is done when the broker refuses '${refused}' (D4)`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner();
    const dead = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "dead" });
    await dead.ensure();
    await rig.publish("a1 b1");
    await dead.read({ count: 10 });
    await rig.clock.advance(30_000);
    const done = new Set<string>();
    rig.broker.fault = (operation) => {
      if (operation === refused) return "refuse";
      done.add(operation);
      return undefined;
    };
    const subscription = rig.subscribe(runner, { retentionMaxlen: 1 });
    await subscription.start();
    await rig.clock.advance(100);
    const steps = ["ensure", "pending", "trim", "sweep"].filter((step) => step !== refused);
    assertEquals(steps.filter((step) => !done.has(step)), []);
    assertEquals(runner.log, refused === "pending" ? "" : "a1 b1");
    await rig.close(subscription);
  });
}

Deno.test("two subscriptions of one group share the messages and run each once", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const one = rig.subscribe(runner, { messagesPerTick: 1 });
  const two = rig.subscribe(runner, { messagesPerTick: 1 });
  await one.start();
  await two.start();
  await rig.publish(Array.from({ length: 50 }, (_, n) => `${"abcde"[n % 5]}${n}`).join(" "));
  await rig.clock.advance(1000);
  assertEquals(runner.calls.length, 50);
  assertEquals(new Set(runner.calls.map(({ n }) => n)).size, 50);
  await rig.close(one, two);
});

Deno.test("creates its group again when it is gone, and reads on (PIPE-6, S49)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(100);
  // Removing the stream removes its groups, as FLUSHALL does.
  await rig.broker.deadLetters.purge(CATEGORY);
  await rig.publish("a2");
  await rig.clock.advance(5_000);
  assertEquals(runner.log, "a1 a2");
  assertEquals(subscription.counters.groupsRecreated, 1);
  await rig.close(subscription);
});

Deno.test("an error class of ours that is no outage counts as an attempt", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new ConfigurationError("no such table");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(10);
  assertEquals((await rig.deadLetters()).length, 1);
  await rig.close(subscription);
});
