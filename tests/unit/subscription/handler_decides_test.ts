/** A handler decides: `DeadLetter`, `Discard`, `RetryAfter`, and the hook before a dead letter. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { DeadLetterEntry, Message } from "../../../lib/mod.ts";
import { DeadLetter, Discard, ProviderUnavailableError, RetryAfter } from "../../../lib/mod.ts";
import type { RunOptions } from "../../../lib/domain/handler_port.ts";
import {
  type Call,
  CATEGORY,
  eventText,
  ScriptedRunner,
  SubscriptionRig,
} from "../../support/subscription_rig.ts";
import { logged } from "../../support/logged.ts";

const HOUR = 3_600_000;

/** A runner with an `onDeadLetter`. */
class HookedRunner extends ScriptedRunner {
  readonly letters: { readonly letter: DeadLetterEntry; readonly message: Message | undefined }[] = [];

  constructor(
    work: (call: Call) => unknown,
    readonly hook: (letter: DeadLetterEntry, options: RunOptions) => unknown = () => {},
  ) {
    super(work);
  }

  async onDeadLetter(
    letter: DeadLetterEntry,
    message: Message | undefined,
    options: RunOptions,
  ): Promise<void> {
    this.letters.push({ letter, message });
    await this.hook(letter, options);
  }
}

Deno.test("DeadLetter skips the retries, Discard acknowledges with a counted reason", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a") throw new DeadLetter("no such product");
    if (id === "b") throw new Error("wrapped", { cause: new Discard("sent twice") });
  });
  const told: string[] = [];
  const subscription = rig.subscribe(runner, {
    maxRetries: 5,
    observer: { happened: () => {}, declined: (reason) => told.push(reason) },
  });
  await subscription.start();
  await rig.publish("a1 b1 a2 b2 c1");
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 b1 a2 b2 c1");
  const letters = await rig.deadLetters();
  assertEquals(letters.length, 2);
  const [facts] = letters.map((letter) => letter["_dlq_metadata"] as Record<string, unknown>);
  assertEquals([facts?.["retry_count"], facts?.["error_type"]], [1, "DeadLetter"]);
  assertStringIncludes(String(facts?.["failure_reason"]), "no such product");
  const { counters, declined } = subscription.status();
  assertEquals([counters.deadLettered, counters.declined, counters.handled, counters.failed], [2, 2, 1, 0]);
  assertEquals(declined, { "sent twice": 2 });
  assertEquals(told, ["sent twice", "sent twice"]);
  await rig.clock.advance(5_000);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("without a dead-letter stream DeadLetter discards at once, and no hook is called", async () => {
  const rig = new SubscriptionRig();
  const runner = new HookedRunner(() => {
    throw new DeadLetter("no such product");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 5, enableDlq: false });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(60_000);
  assertEquals([runner.log, subscription.counters.discarded, runner.letters.length], ["a1", 1, 0]);
  await rig.close(subscription);
});

Deno.test("different reasons are kept up to a bound, the others as 'other'", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ n }) => {
    throw new Discard(`order ${n} is old`);
  });
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish(Array.from({ length: 60 }, (_, n) => `a${n}`).join(" "));
  await rig.clock.advance(100);
  const { declined } = subscription.status();
  assertEquals([Object.keys(declined).length, declined["other"]], [51, 10]);
  await rig.close(subscription);
});

Deno.test("RetryAfter waits that long, holds its key, and is no attempt", async () => {
  const rig = new SubscriptionRig();
  let busy = true;
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a" && busy) throw new RetryAfter(2 * HOUR, "busy");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 1 });
  await subscription.start();
  await rig.publish("a1 a2 b1");
  await rig.clock.advance(2 * HOUR - 1_000);
  assertEquals(runner.log, "a1 b1");
  await rig.clock.advance(2_000);
  assertEquals(runner.log, "a1 b1 a1");
  busy = false;
  await rig.clock.advance(2 * HOUR);
  assertEquals(runner.log, "a1 b1 a1 a1 a2");
  const { counters } = subscription;
  assertEquals([counters.postponed, counters.failed, counters.retried, counters.deadLettered], [2, 0, 0, 0]);
  await rig.clock.advance(5_000);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("a message that was postponed 100 times fails from there on, as its attempts allow", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new RetryAfter(1_000, "busy");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 3, retryDelaySeconds: 0 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(99_500);
  assertEquals([runner.calls.length, subscription.counters.postponed], [100, 100]);
  await rig.clock.advance(10_000);
  assertEquals([runner.calls.length, subscription.counters.postponed], [103, 100]);
  const [letter] = await rig.deadLetters();
  assertEquals((letter?.["_dlq_metadata"] as Record<string, unknown>)["retry_count"], 3);
  await rig.close(subscription);
});

Deno.test("neither the wait nor the number of waits begins anew with the process", async () => {
  const rig = new SubscriptionRig();
  let wait = HOUR;
  const runner = new ScriptedRunner(() => {
    throw new RetryAfter(wait, "busy");
  });
  const change = { maxRetries: 1 };
  let subscription = rig.subscribe(runner, change);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(HOUR / 2);
  // It dies, then others are stopped, each half-way.
  rig.kill(subscription);
  for (let life = 1; life <= 3; life++) {
    subscription = rig.subscribe(runner, change);
    await subscription.start();
    await rig.clock.advance(HOUR / 2 - 120_000);
    assertEquals(runner.calls.length, life);
    await rig.clock.advance(HOUR / 2 + 120_000);
    assertEquals(runner.calls.length, life + 1);
    if (life < 3) {
      const stopping = subscription.stop();
      await rig.clock.advance(2_000);
      await stopping;
    }
  }
  // A hundred in all, whoever counted them.
  wait = 1_000;
  await rig.clock.advance(2 * HOUR);
  assertEquals(runner.calls.length, 101);
  assertEquals((await rig.deadLetters()).length, 1);
  await rig.close(subscription);
});

Deno.test("a broker that does not keep the wait makes no message lose it while its process lives", async () => {
  const rig = new SubscriptionRig();
  let busy = true;
  const runner = new ScriptedRunner(() => {
    if (busy) throw new RetryAfter(60_000, "busy");
  });
  rig.broker.fault = (operation) => operation === "postpone" ? "refuse" : undefined;
  const subscription = rig.subscribe(runner, { maxRetries: 1 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(59_000);
  assertEquals(runner.log, "a1");
  await rig.clock.advance(2_000);
  assertEquals(runner.log, "a1 a1");
  busy = false;
  await rig.clock.advance(61_000);
  assertEquals([subscription.counters.handled, (await rig.deadLetters()).length], [1, 0]);
  await rig.close(subscription);
});

Deno.test("of several methods one that discards does not keep another from its retries, nor from its outage", async () => {
  const rig = new SubscriptionRig();
  let outcome: unknown[] = [new Discard("old"), new Error("fails")];
  const runner = new ScriptedRunner(() => {
    if (outcome.length > 0) throw new AggregateError(outcome, "2 of 2 methods failed");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 3, retryDelaySeconds: 1 });
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(500);
  assertEquals([runner.calls.length, subscription.counters.failed], [1, 1]);
  outcome = [new Discard("old"), new ProviderUnavailableError("The database does not answer.")];
  await rig.clock.advance(600_000);
  assertEquals((await rig.deadLetters()).length, 0);
  outcome = [new Discard("old")];
  await rig.clock.advance(600_000);
  assertEquals([subscription.counters.declined, (await rig.deadLetters()).length], [1, 0]);
  await rig.close(subscription);
});

Deno.test("onDeadLetter is told before the entry moves, of what failed and what could not be read", async () => {
  const rig = new SubscriptionRig();
  const depths: number[] = [];
  const runner = new HookedRunner(
    () => {
      throw new TypeError("amount is negative");
    },
    async () => void depths.push((await rig.deadLetters()).length),
  );
  const subscription = rig.subscribe(runner, { maxRetries: 2, retryDelaySeconds: 0 });
  await subscription.start();
  await rig.send(eventText("a", 7), "no JSON");
  await rig.clock.advance(10_000);
  assertEquals((await rig.deadLetters()).length, 2);
  assertEquals(depths, [0, 1]);
  const [unread, failed] = runner.letters;
  assertEquals([unread?.letter.payload, unread?.message, unread?.letter.messageId], [
    "no JSON",
    undefined,
    undefined,
  ]);
  assertEquals(failed?.letter.payload, { id: "a", n: 7 });
  assertEquals(
    { ...failed?.letter, failedAt: undefined, messageId: undefined, payload: undefined },
    {
      id: "",
      dlqStream: `${CATEGORY}:dlq`,
      subscription: `OrderEventHandler on ${CATEGORY}`,
      handler: "OrderEventHandler",
      consumerGroup: "shop.OrderEventHandler",
      originalId: failed?.letter.originalId ?? "",
      messageId: undefined,
      type: "Shop.OrderPlaced.v1",
      failureReason: "TypeError: amount is negative",
      errorType: "TypeError",
      errorMessage: "amount is negative",
      failedAt: undefined,
      retryCount: 2,
      replayCount: 0,
      payload: undefined,
    },
  );
  assert(failed?.letter.failedAt instanceof Date && failed.letter.originalId !== "");
  await rig.close(subscription);
});

Deno.test("an onDeadLetter that fails is logged and counted, and the entry moves all the same", async () => {
  const rig = new SubscriptionRig();
  const runner = new HookedRunner(() => {
    throw new DeadLetter("broken");
  }, () => {
    throw new Error("the pager is away");
  });
  const subscription = rig.subscribe(runner);
  const records = await logged(async () => {
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(10);
  });
  assertEquals((await rig.deadLetters()).length, 1);
  assertEquals(subscription.counters.hooksFailed, 1);
  assert(records.some(({ rawMessage }) => rawMessage === "subscription.dead_letter_hook_failed"));
  await rig.close(subscription);
});

Deno.test("a broker that refuses the dead letter has the hook called once and no more", async () => {
  const rig = new SubscriptionRig();
  let away = true;
  rig.broker.fault = (operation) => away && operation === "deadLetter" ? "refuse" : undefined;
  const runner = new HookedRunner(() => {
    throw new DeadLetter("broken");
  });
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1");
  await rig.clock.advance(60_000);
  away = false;
  await rig.clock.advance(10_000);
  assertEquals([runner.letters.length, (await rig.deadLetters()).length, runner.log], [1, 1, "a1"]);
  await rig.close(subscription);
});

Deno.test("a hook that never settles is cut by the drain, and called again by the next process", async () => {
  const rig = new SubscriptionRig();
  let hangs = true;
  const runner = new HookedRunner(() => {
    throw new DeadLetter("broken");
  }, (_, { signal }) => {
    if (!hangs) return undefined;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const first = rig.subscribe(runner);
  await first.start();
  await rig.publish("a1");
  await rig.clock.advance(10);
  assertEquals(runner.letters.length, 1);
  const stopping = first.stop();
  first.cut();
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals((await rig.deadLetters()).length, 0);
  hangs = false;
  const second = rig.subscribe(runner);
  await second.start();
  await rig.clock.advance(10_000);
  assertEquals([runner.letters.length, (await rig.deadLetters()).length], [2, 1]);
  assertEquals(second.counters.hooksFailed, 0);
  await rig.close(second);
});

Deno.test("a hook that kills its process has one try once its message has had all of its deliveries", async () => {
  const rig = new SubscriptionRig();
  const kill: { now?: () => void } = {};
  const runner = new HookedRunner(() => kill.now?.(), () => {
    kill.now?.();
    return new Promise(() => {});
  });
  const work = runner.work;
  runner.work = (call) => {
    work(call);
    return new Promise(() => {});
  };
  let crashes = 0;
  await rig.publish("a1");
  for (let life = 0; life < 10; life++) {
    const subscription = rig.subscribe(runner, { maxDeliveries: 3 });
    const before = crashes;
    kill.now = () => {
      crashes++;
      rig.kill(subscription);
    };
    await subscription.start();
    await rig.clock.advance(40_000);
    if (crashes === before) {
      assertEquals((await rig.deadLetters()).length, 1);
      assertEquals([runner.calls.length, runner.letters.length, crashes], [3, 1, 4]);
      await rig.close(subscription);
      return;
    }
  }
  throw new Error(`It has killed ${crashes} processes and goes on.`);
});
