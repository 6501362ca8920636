/** What a subscription does with whatever a handler does. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ProviderUnavailableError, RetryAfter } from "../../../lib/errors.ts";
import type { DeadLetterEntry, Message } from "../../../lib/mod.ts";
import { CATEGORY, ONE_ATTEMPT, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

class Hostile extends Error {
  override get message(): string {
    throw new Error("no message for you");
  }
}

for (
  const [what, thrown] of [
    ["undefined", undefined],
    ["null", null],
    ["several errors that are one of themselves", selfContained()],
    ["several errors that are no list", Object.assign(new AggregateError([]), { errors: { length: 1 } })],
    ["several that hold a Proxy that has no prototype to show", new AggregateError([hostileProxy()])],
    ["an object without a prototype", Object.create(null)],
    ["a symbol", Symbol("odd")],
    ["an error whose message cannot be read", new Hostile()],
    ["an error whose message is no text", Object.assign(new Error(), { message: Symbol("odd"), name: 7n })],
    ["an error that causes itself", selfCaused()],
    [
      "a Proxy that has no prototype to show",
      hostileProxy(),
    ],
  ] as const
) {
  Deno.test(`a handler that throws ${what} fails its message and nothing else`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner(({ id }) => {
      if (id === "a") throw thrown;
    });
    const failures: Error[] = [];
    const subscription = rig.subscribe(runner, { maxRetries: 2 }, (error) => failures.push(error));
    await subscription.start();
    await rig.publish("a1 b1");
    await rig.clock.advance(5_000);
    assertEquals(runner.log, "a1 b1 a1");
    const letters = await rig.deadLetters();
    assertEquals(letters.length, 1);
    assertEquals(failures, []);
    await rig.close(subscription);
  });
}

function hostileProxy(): object {
  return new Proxy({}, {
    getPrototypeOf: () => {
      throw new Error("no");
    },
  });
}

function selfContained(): AggregateError {
  const several = new AggregateError([], "round");
  several.errors.push(several);
  return several;
}

function selfCaused(): Error {
  const error = new Error("round and round");
  error.cause = error;
  return error;
}

Deno.test("several methods that all failed for a backend that is away cost no attempt", async () => {
  const rig = new SubscriptionRig();
  let away = true;
  const outage = () => new ProviderUnavailableError("The database does not answer.");
  const runner = new ScriptedRunner(() => {
    if (away) throw new AggregateError([outage(), outage()], "2 of 2 methods failed");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(60_000);
  assertEquals(await rig.deadLetters(), []);
  away = false;
  await rig.clock.advance(120_000);
  assertEquals(subscription.counters.handled, 1);
  await rig.close(subscription);
});

Deno.test("one method that failed by itself among others that met an outage is an attempt", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    const outage = new ProviderUnavailableError("The database does not answer.");
    throw new AggregateError([outage, new TypeError("amount is negative")], "2 of 2 methods failed");
  });
  const subscription = rig.subscribe(runner, ONE_ATTEMPT);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(10);
  const [letter] = await rig.deadLetters();
  assertStringIncludes(JSON.stringify(letter), "amount is negative");
  await rig.close(subscription);
});

Deno.test("as many handlers run at once as 'concurrency' says, however few are read at a time", async () => {
  const rig = new SubscriptionRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = rig.subscribe(runner, { messagesPerTick: 2, concurrency: 20 });
  await subscription.start();
  await rig.publish(Array.from("abcdefghijklmnopqrstuvwxyz", (key) => `${key}1`).join(" "));
  await rig.clock.advance(100);
  assertEquals(runner.calls.length, 20);
  release.resolve();
  await rig.clock.advance(100);
  assertEquals(runner.calls.length, 26);
  await rig.close(subscription);
});

Deno.test("a defect ends the subscription once, all of it: nothing is read for it any more (S72)", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a") throw new Error("fails");
  });
  const failures: Error[] = [];
  const subscription = rig.subscribe(runner, {}, (error) => failures.push(error), () => {
    throw new Error("a defect");
  });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(2000);
  assertEquals(failures.map(({ message }) => message), ["a defect"]);
  await rig.publish("b1");
  await rig.clock.advance(10_000);
  // a1 was handed back, b1 is nobody's: both are there for the next process.
  assertEquals((await rig.pending(runner)).map(({ idleMs }) => idleMs >= 3_600_000), [true]);
  assertEquals(rig.clock.pending, 0);
  await subscription.stop();
  assert(failures.length === 1);
  await rig.broker.close();
});

Deno.test("a retry, a wait, a dead letter and its hook have the message as it came, whatever the handler made of it", async () => {
  const rig = new SubscriptionRig();
  const seen: unknown[] = [];
  let thrown: unknown = new Error("fails");
  class Spoiling extends ScriptedRunner {
    override run(message: Message): Promise<"handled"> {
      const { data, metadata } = message as { data: Record<string, unknown>; metadata: { headers: object } };
      seen.push(structuredClone(data));
      for (const key of Object.keys(data)) data[key] = "spoilt";
      for (const key of Object.keys(metadata.headers)) Reflect.set(metadata.headers, key, "spoilt");
      return Promise.reject(thrown);
    }

    onDeadLetter({ payload, messageId }: DeadLetterEntry, message: Message | undefined): Promise<void> {
      seen.push(payload, message?.metadata.headers.id === messageId);
      return Promise.resolve();
    }
  }
  const runner = new Spoiling();
  const subscription = rig.subscribe(runner, { maxRetries: 2 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(500);
  thrown = new RetryAfter(1_000);
  await rig.clock.advance(1_000);
  thrown = new ProviderUnavailableError("The database does not answer.");
  await rig.clock.advance(1_000);
  thrown = new Error("fails");
  await rig.clock.advance(60_000);
  const whole = { id: "a", n: 1 };
  assert(seen.length >= 6, `${seen.length}`);
  assertEquals(seen.filter((each) => typeof each === "object"), Array(seen.length - 1).fill(whole));
  assertEquals(seen.at(-1), true);
  const [letter] = await rig.deadLetters();
  assertEquals(letter?.["data"], whole);
  await rig.close(subscription);
});

Deno.test("a handler that rejects after it was cut, given up, or robbed of its message changes nothing by that", async () => {
  const rig = new SubscriptionRig();
  const rejections: (() => void)[] = [];
  const runner = new ScriptedRunner(() =>
    new Promise((_, reject) => rejections.push(() => reject(new Error("late"))))
  );
  const failures: Error[] = [];
  const first = rig.subscribe(runner, ONE_ATTEMPT, (error) => failures.push(error));
  await first.start();
  await rig.publish("a1");
  await rig.clock.advance(10);
  // Cut: it rejects within its second, which is no attempt.
  let stopping = first.stop();
  first.cut();
  await rig.clock.advance(100);
  rejections[0]?.();
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [0]);
  // Given up: it rejects when nobody waits any more.
  const second = rig.subscribe(runner, ONE_ATTEMPT, (error) => failures.push(error));
  await second.start();
  await rig.clock.advance(10);
  stopping = second.stop();
  second.cut();
  assertEquals(second.abandon(), 1);
  await rig.clock.advance(2_000);
  await stopping;
  rejections[1]?.();
  await rig.clock.advance(10);
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [0]);
  // Robbed: somebody else has the message, whose retries are theirs.
  const third = rig.subscribe(runner, ONE_ATTEMPT, (error) => failures.push(error));
  await third.start();
  await rig.clock.advance(10);
  const [entry] = await rig.pending(runner);
  const thief = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer: "thief" });
  await thief.claim([{ id: entry?.id ?? "", from: entry?.consumer ?? "" }], 0);
  await rig.clock.advance(11_000);
  rejections[2]?.();
  await rig.clock.advance(10);
  assertEquals(third.counters.failed + third.counters.deadLettered, 0);
  assertEquals([await rig.deadLetters(), failures, runner.log], [[], [], "a1 a1 a1"]);
  await rig.close(third);
});

Deno.test("a handler that never settles holds its own key and one worker, and neither others nor their reading", async () => {
  const rig = new SubscriptionRig();
  const hangs = new ScriptedRunner(({ id }) => id === "a" ? new Promise(() => {}) : undefined);
  const other = new ScriptedRunner(() => {}, "Other");
  const [first, second] = [rig.subscribe(hangs, { concurrency: 2 }), rig.subscribe(other)];
  await Promise.all([first.start(), second.start()]);
  await rig.publish("a1 a2 b1 c1 b2");
  await rig.clock.advance(3_600_000);
  assertEquals([hangs.log, other.log], ["a1 b1 c1 b2", "a1 a2 b1 c1 b2"]);
  assertEquals([first.stuck, second.stuck], [false, false]);
  // It is ours all the time, and was started once (PIPE-4).
  assertEquals((await rig.pending(hangs)).map(({ count, idleMs }) => [count, idleMs <= 10_000]), [
    [1, true],
    [1, true],
  ]);
  await rig.publish("d1");
  await rig.clock.advance(10);
  assertEquals(hangs.log, "a1 b1 c1 b2 d1");
  const stopping = Promise.all([first.stop(), second.stop()]);
  first.cut();
  assertEquals(first.abandon(), 1);
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals(first.counters.cut, 1);
  assertEquals((await rig.pending(hangs)).map(({ count }) => count), [0, 0]);
  await rig.broker.close();
});
