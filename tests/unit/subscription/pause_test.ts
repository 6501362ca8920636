/** What a subscription does while a backend of its handler is away or refuses everybody (D12, F16, F31). */
import { assert, assertEquals } from "@std/assert";
import { type Backend, blame } from "../../../lib/domain/backends.ts";
import { ProviderUnavailableError, RefusedError } from "../../../lib/errors.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { logged } from "../../support/logged.ts";
import {
  type Call,
  CATEGORY,
  eventText,
  ScriptedRunner,
  SubscriptionRig,
} from "../../support/subscription_rig.ts";

const HOUR_MS = 3_600_000;
const DATABASE: Backend = { kind: "provider", name: "default" };
const keys = "abcdefghijklmnopqrstuvwxyz";

const away = () => blame(new ProviderUnavailableError("The database does not answer."), DATABASE);
const refused = () =>
  blame(new RefusedError("The role lacks a right.", { code: "DATABASE_REFUSED" }), DATABASE);
const missing = () =>
  blame(
    new RefusedError('There is no table "effets".', {
      code: "DATABASE_TABLE_MISSING",
      concerns: "statement",
    }),
    DATABASE,
  );

/** A handler that works with the database, which does what `state` says. */
function worker(state: { failure: (() => Error) | undefined }, name?: string): ScriptedRunner {
  return new ScriptedRunner((call: Call) => {
    if (state.failure) throw state.failure();
    call.options.committed?.(DATABASE);
  }, name);
}

async function told(work: () => Promise<unknown>): Promise<(readonly [string, Record<string, unknown>])[]> {
  return (await logged(work)).map(({ rawMessage, properties }) => [String(rawMessage), properties] as const);
}

for (
  const [hours, what, failure] of [
    [2, "is away", away],
    [1, "refuses everybody", refused],
    [1, "lacks a table that everybody needs", missing],
  ] as const
) {
  Deno.test(`${hours} hours in which the database ${what} cost no message an attempt, and end within five seconds`, async () => {
    const rig = new SubscriptionRig();
    const state: { failure: (() => Error) | undefined } = { failure };
    const runner = worker(state);
    const subscription = rig.subscribe(runner, {
      ...{ concurrency: 8, maxRetries: 2, retryDelaySeconds: 30 },
      health: new WorkHealth(rig.clock),
    });
    await subscription.start();
    const lines = await told(async () => {
      await rig.publish([...keys].flatMap((key) => [`${key}1`, `${key}2`]).join(" "));
      await rig.clock.advance(hours * HOUR_MS);
      assertEquals(await rig.deadLetters(), []);
      assertEquals(new Set((await rig.pending(runner)).map(({ count }) => count)), new Set([1]));
      state.failure = undefined;
      await rig.clock.advance(5_000);
    });
    assertEquals(subscription.counters.handled, 52);
    assertEquals(await rig.pending(runner), []);
    assertEquals(
      lines.filter(([line]) => line !== "subscription.backend_unavailable").map(([line]) => line),
      ["subscription.paused", "subscription.resumed"],
    );
    const [paused, resumed] = lines.filter(([line]) => /paused|resumed/.test(line)).map(([, facts]) => facts);
    assertEquals(paused, {
      subscription: subscription.name,
      backend: "provider 'default'",
      reason: failure().message,
    });
    assert(Number(resumed?.["paused_ms"]) > hours * HOUR_MS - 60_000);
    assert(lines.length <= 3, JSON.stringify(lines));
    // One message at a time, every few seconds.
    assert(runner.calls.length < 52 + 8 + hours * 3600 / 2, `${runner.calls.length} runs`);
    await rig.close(subscription);
    assertEquals(rig.clock.pending, 0);
  });
}

Deno.test("one message alone waits for a database that refuses it, or that cannot be reached, as long as it takes", async () => {
  for (
    const failure of [
      refused,
      () => blame(new ProviderUnavailableError("Too many connections.", { isUnreached: true }), DATABASE),
    ]
  ) {
    const rig = new SubscriptionRig();
    const state: { failure: (() => Error) | undefined } = { failure };
    const runner = worker(state);
    const subscription = rig.subscribe(runner, { health: new WorkHealth(rig.clock) });
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(2 * HOUR_MS);
    state.failure = undefined;
    await rig.clock.advance(5_000);
    assertEquals([subscription.counters.handled, await rig.deadLetters()], [1, []]);
    await rig.close(subscription);
  }
});

Deno.test("while the database answers no ping its handlers are hardly asked, and nothing is read", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const state: { failure: (() => Error) | undefined } = { failure: away };
  const runner = worker(state);
  const subscription = rig.subscribe(runner, { health, messagesPerTick: 2 });
  await subscription.start();
  health.pinged("provider", "default", false);
  await rig.publish("a1");
  await rig.clock.advance(60_000);
  await rig.publish("b1 c1 d1 e1 f1");
  const [before, pending] = [runner.calls.length, (await rig.pending(runner)).length];
  await rig.clock.advance(10 * 60_000);
  assert(runner.calls.length - before <= 11, `${runner.calls.length - before} runs in ten minutes`);
  assert(pending <= 3, `${pending} read`);
  assertEquals((await rig.pending(runner)).length, pending);
  state.failure = undefined;
  health.pinged("provider", "default", true);
  await rig.clock.advance(1_000);
  assertEquals(subscription.counters.handled, 6);
  assertEquals(await rig.deadLetters(), []);
  await rig.close(subscription);
});

Deno.test("a message that fails for its backend while others succeed holds up nobody and is dead-lettered in the end", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id, options }) => {
    if (id === "x") throw away();
    options.committed?.(DATABASE);
  });
  const subscription = rig.subscribe(runner, { maxRetries: 2, health: new WorkHealth(rig.clock) });
  await subscription.start();
  const lines = await told(async () => {
    await rig.publish("x1 x2");
    for (let minute = 0; minute < 60; minute++) {
      await rig.publish(`a${minute}`);
      await rig.clock.advance(60_000);
      assertEquals(subscription.counters.handled, minute + 1);
    }
  });
  assert(!lines.some(([line]) => line === "subscription.paused"), "it was paused");
  assertEquals((await rig.deadLetters()).length, 2);
  // Twenty that do not count, then its own two.
  assertEquals(runner.calls.filter(({ id, n }) => id === "x" && n === 1).length, 22);
  await rig.close(subscription);
});

Deno.test("messages that break their backend by themselves do not keep others from coming, which show that it works", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id, options }) => {
    if (id === "x" || id === "y") throw away();
    options.committed?.(DATABASE);
  });
  const subscription = rig.subscribe(runner, { health: new WorkHealth(rig.clock) });
  await subscription.start();
  await rig.publish("x1 y1");
  await rig.clock.advance(60_000);
  await rig.publish("a1");
  await rig.clock.advance(10_000);
  assertEquals(subscription.counters.handled, 1);
  for (let n = 2; n < 40; n++) {
    await rig.publish(`a${n}`);
    await rig.clock.advance(500);
  }
  assert(subscription.counters.handled > 30, `${subscription.counters.handled} handled`);
  for (let n = 100; n < 200; n++) {
    await rig.publish(`a${n}`);
    await rig.clock.advance(20_000);
  }
  assertEquals([subscription.counters.handled, (await rig.deadLetters()).length], [139, 2]);
  await rig.close(subscription);
});

Deno.test("what succeeds without the database does not end a pause, nor does it make the others' outage their own", async () => {
  const rig = new SubscriptionRig();
  const state = { isAway: true };
  const runner = new ScriptedRunner(({ id, options }) => {
    if (id === "z") return;
    if (state.isAway) throw away();
    options.committed?.(DATABASE);
  });
  const subscription = rig.subscribe(runner, { health: new WorkHealth(rig.clock), concurrency: 2 });
  await subscription.start();
  const lines = await told(async () => {
    for (let minute = 0; minute < 120; minute++) {
      await rig.publish(`a${minute} z${minute} b${minute}`);
      await rig.clock.advance(60_000);
    }
    state.isAway = false;
    await rig.clock.advance(60_000);
  });
  assertEquals(lines.filter(([line]) => line === "subscription.paused").length, 1);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(subscription.counters.handled, 360);
  await rig.close(subscription);
});

Deno.test("a table that one handler's statement alone misses is that handler's mistake after two minutes, not after a quarter of an hour", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const [mistyped, fine] = [worker({ failure: missing }, "Mistyped"), worker({ failure: undefined }, "Fine")];
  const subscriptions = [mistyped, fine].map((runner) => rig.subscribe(runner, { health, maxRetries: 2 }));
  for (const subscription of subscriptions) await subscription.start();
  await rig.publish("a1 b1");
  await rig.clock.advance(100_000);
  assertEquals(await rig.deadLetters(), []);
  await rig.publish("c1");
  await rig.clock.advance(60_000);
  assertEquals((await rig.deadLetters()).length, 3);
  assertEquals(subscriptions.map(({ counters }) => counters.handled), [0, 3]);
  // From then on it is known.
  await rig.publish("d1");
  await rig.clock.advance(5_000);
  assertEquals((await rig.deadLetters()).length, 4);
  await rig.close(...subscriptions);
});

Deno.test("a table that goes missing again long after is waited for again", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const state: { failure: (() => Error) | undefined } = { failure: missing };
  const [late, fine] = [worker(state, "Late"), worker({ failure: undefined }, "Fine")];
  const subscriptions = [late, fine].map((runner) => rig.subscribe(runner, { health, maxRetries: 1 }));
  for (const subscription of subscriptions) await subscription.start();
  await rig.publish("a1 b1");
  await rig.clock.advance(60_000);
  state.failure = undefined;
  await rig.clock.advance(HOUR_MS);
  state.failure = missing;
  await rig.publish("a2 b2");
  await rig.clock.advance(60_000);
  state.failure = undefined;
  await rig.clock.advance(5_000);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(subscriptions.map(({ counters }) => counters.handled), [4, 4]);
  await rig.close(...subscriptions);
});

Deno.test("an outage stays one whatever a handler wraps it in", async () => {
  const rig = new SubscriptionRig();
  const state = { isAway: true };
  const runner = new ScriptedRunner(() => {
    if (state.isAway) {
      throw new Error("could not save", { cause: new TypeError("no answer", { cause: away() }) });
    }
  });
  const subscription = rig.subscribe(runner, { maxRetries: 1 });
  await subscription.start();
  await rig.publish("a1 b1");
  await rig.clock.advance(HOUR_MS);
  state.isAway = false;
  await rig.clock.advance(5_000);
  assertEquals([subscription.counters.handled, await rig.deadLetters()], [2, []]);
  await rig.close(subscription);
});

Deno.test("the work of a paused subscription is told as long as it fails, and no longer", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const state: { failure: (() => Error) | undefined } = { failure: refused };
  const runner = worker(state);
  const subscription = rig.subscribe(runner, { health });
  await subscription.start();
  await rig.publish("a1 b1");
  await rig.clock.advance(8_000);
  for (let minute = 0; minute < 30; minute++) {
    assertEquals(health.fault("provider", "default"), "The role lacks a right.");
    await rig.clock.advance(60_000);
  }
  state.failure = undefined;
  await rig.clock.advance(5_000);
  assertEquals(health.fault("provider", "default"), undefined);
  await rig.close(subscription);
});

Deno.test("what is refused to some messages alone waits, is told, and holds up nobody, however long it lasts", async () => {
  const rig = new SubscriptionRig();
  const health = new WorkHealth(rig.clock);
  const state: { failure: (() => Error) | undefined } = { failure: undefined };
  const SECONDS = 1_200;
  let refusals = 0;
  const runner = new ScriptedRunner(({ n, options }) => {
    if (n === 2 && state.failure) {
      refusals++;
      throw state.failure();
    }
    options.committed?.(DATABASE);
  });
  const about = (id: number) =>
    blame(new RefusedError(`Writing ${id}: no right.`, { cause: new Error("no right to v2") }), DATABASE);
  const subscription = rig.subscribe(runner, { concurrency: 4, maxRetries: 2, health });
  await subscription.start();
  await rig.publish("a1 a2");
  await rig.clock.advance(1_000);
  let id = 0;
  state.failure = () => about(++id);
  let handled = subscription.counters.handled;
  const lines = await told(async () => {
    for (let second = 0; second < SECONDS; second++) {
      await rig.send(eventText(`x${second}`, 1), eventText(`y${second}`, 2));
      await rig.clock.advance(1_000);
      if (second > 8) assert(health.fault("provider", "default")?.includes("no right"), `after ${second} s`);
      // At most the first second goes by before it is known whom it concerns.
      if (second > 2) assertEquals(subscription.counters.handled, handled + second + 1);
    }
    handled = subscription.counters.handled;
    state.failure = undefined;
    await rig.clock.advance(5_000);
  });
  assertEquals([subscription.counters.handled, await rig.deadLetters()], [handled + SECONDS, []]);
  assertEquals(health.fault("provider", "default"), undefined);
  assertEquals(await rig.pending(runner), []);
  // Each once, and then one every few seconds.
  assert(refusals < SECONDS + SECONDS / 2, `${refusals} refusals`);
  assertEquals(new Set(lines.map(([line]) => line)).has("subscription.some_refused"), true);
  assert(lines.length <= 6, JSON.stringify(lines.slice(0, 9)));
  await rig.close(subscription);
  assertEquals(rig.clock.pending, 0);
});

Deno.test("a subscription that is stopped while it is paused hands everything back with the counts it had", async () => {
  const rig = new SubscriptionRig();
  const runner = worker({ failure: away });
  const subscription = rig.subscribe(runner, { health: new WorkHealth(rig.clock), concurrency: 4 });
  await subscription.start();
  await rig.publish("a1 b1 c1 d1 e1 f1");
  await rig.clock.advance(60_000);
  await rig.close(subscription);
  const group = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "observer" });
  assertEquals(new Set((await group.pending({ limit: 9 })).map(({ count }) => count)), new Set([0]));
  assertEquals(rig.clock.pending, 0);
});
