/** What a subscription does with whatever a handler does. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { ONE_ATTEMPT, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

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
