/**
 * H3, M3: what is too large is dead-lettered unread; what is held is bounded by its size as well as by its
 * number.
 */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { ProteanError, ProviderUnavailableError } from "../../../lib/errors.ts";
import { largestLetter } from "../../../lib/message/dead_letter.ts";
import { BatchSize } from "../../../lib/async/batch_size.ts";
import { MOST_SIZE } from "../../../lib/subscription/holdings.ts";
import { SHARED_PAUSE_SIZE, TextShare } from "../../../lib/subscription/text_share.ts";
import { StreamSubscription } from "../../../lib/subscription/stream_subscription.ts";
import { logged } from "../../support/logged.ts";
import {
  CATEGORY,
  eventText,
  ScriptedRunner,
  settings,
  SubscriptionRig,
} from "../../support/subscription_rig.ts";

const MOST = 10_000;

/** A message of about so many bytes. */
function sized(id: string, bytes: number): string {
  const text = eventText(id, 1);
  return text.replace(/}$/, `,"pad":"${"x".repeat(Math.max(0, bytes - text.length - 9))}"}`);
}

function subscribe(rig: SubscriptionRig, runner: ScriptedRunner, most = MOST): StreamSubscription {
  return new StreamSubscription({
    ...{ runner, category: CATEGORY, broker: rig.broker, settings, consumer: "c-host-1-000001" },
    ...{ clock: rig.clock, random: () => 0.5, maxReceivedBytes: most },
  });
}

const facts = (letter: Record<string, unknown> | undefined) =>
  letter?.["_dlq_metadata"] as Record<string, unknown>;

for (
  const [what, text, bytes] of [
    ["a message", sized("a", MOST + 1), MOST + 1],
    ["no JSON", "\u0001".repeat(MOST + 1), MOST + 1],
    ["two bytes a character", "é".repeat(MOST / 2 + 1), MOST + 2],
  ] as const
) {
  Deno.test(`${what} above max_received_bytes is dead-lettered unread, once, and the next is handled`, async () => {
    const rig = new SubscriptionRig();
    const runner = new ScriptedRunner();
    runner.judge = () => {
      throw new Error("it was read");
    };
    const subscription = subscribe(rig, runner);
    await subscription.start();
    await rig.send(text);
    await rig.clock.advance(1_000);
    const [letter, ...others] = await rig.deadLetters();
    assertEquals([others, letter?.["raw"]], [[], text]);
    const { error_type, truncated_bytes, sha256, retry_count } = facts(letter);
    assertEquals([error_type, truncated_bytes, retry_count], ["MessageTooLarge", bytes, 1]);
    assertEquals(String(sha256).length, 64);
    runner.judge = () => ({ kind: "run", plan: undefined });
    await rig.send(sized("b", MOST));
    await rig.clock.advance(1_000);
    assertEquals(runner.log, "b1");
    await rig.close(subscription);
  });
}

Deno.test("bytes that are not UTF-8 are dead-lettered whole up to max_received_bytes, though longer as text", async () => {
  const rig = new SubscriptionRig();
  const subscription = subscribe(rig, new ScriptedRunner());
  await subscription.start();
  const base64 = (bytes: number) => Buffer.alloc(bytes, 0xff).toString("base64");
  await rig.send(`{"base64":"${base64(MOST)}"}`, `{"base64":"${base64(2 * MOST)}"}`);
  await rig.clock.advance(1_000);
  const [whole, cut] = await rig.deadLetters();
  assertEquals([whole?.["base64"], facts(whole)["truncated_bytes"]], [base64(MOST), undefined]);
  assertEquals([cut?.["base64"], Number(facts(cut)["truncated_bytes"]) > 2 * MOST], [undefined, true]);
  await rig.close(subscription);
});

Deno.test("up to max_received_bytes a message is dead-lettered whole, and comes back from a replay", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = subscribe(rig, runner);
  await subscription.start();
  const text = "\u0001".repeat(MOST);
  await rig.send(text);
  await rig.clock.advance(1_000);
  const [letter] = await rig.deadLetters();
  assertEquals([letter?.["raw"], facts(letter)["truncated_bytes"]], [text, undefined]);
  // Escaped, it is six times as large as what is received.
  assertLess(6 * MOST, JSON.stringify(letter).length);
  assertLess(JSON.stringify(letter).length, largestLetter(MOST));
  await rig.replayAll(runner);
  await rig.clock.advance(10_000);
  const [again] = await rig.deadLetters();
  assertEquals([again?.["raw"], facts(again)["replay_count"]], [text, 1]);
  await rig.close(subscription);
});

Deno.test("large messages behind a key that backs off hold up no other key", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "h") throw new Error("no");
  });
  const subscription = rig.subscribe(runner, { retryDelaySeconds: 600, retryMaxDelaySeconds: 600 });
  await subscription.start();
  for (let at = 0; at < 8; at++) await rig.send(sized("h", 7_900_000));
  for (const id of ["a", "b", "c"]) await rig.send(sized(id, 7_900_000));
  await rig.clock.advance(1_000);
  assertEquals(subscription.counters.handled, 3);
  await rig.close(subscription);
});

Deno.test("while the database is away no more text is read than is held", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new ProviderUnavailableError("away");
  });
  const subscription = rig.subscribe(runner, { messagesPerTick: 2 });
  await subscription.start();
  for (const id of "abcdefghij") await rig.send(sized(id, 7_900_000));
  await rig.clock.advance(100);
  assertLess(subscription.outstanding, 6);
  await rig.close(subscription);
});

Deno.test("those that hold text read no more while all together hold enough, and are told when they do not", () => {
  const share = new TextShare();
  let told = 0;
  const stop = share.watch(() => told++);
  share.change(SHARED_PAUSE_SIZE - 1);
  assertEquals(share.full, false);
  share.change(1);
  assertEquals([share.full, told], [true, 0]);
  share.change(-1);
  share.change(-1);
  assertEquals([share.full, told], [false, 1]);
  stop();
});

Deno.test("forty subscriptions on large messages hold no more than a bound together, and all are served", async () => {
  const rig = new SubscriptionRig();
  const share = new TextShare();
  const gate = Promise.withResolvers<void>();
  let most = 0;
  const { change } = share;
  let size = 0;
  share.change = function (by) {
    size += by;
    most = Math.max(most, size);
    change.call(this, by);
  };
  const subscriptions = Array.from({ length: 40 }, (_, at) =>
    new StreamSubscription({
      runner: new ScriptedRunner(() => gate.promise, `Handler${at}`),
      ...{ category: CATEGORY, broker: rig.broker, settings, consumer: `c-host-1-${at}`, share },
      ...{ clock: rig.clock, random: () => 0.5 },
    }));
  for (const id of "abcde") await rig.send(sized(id, 2_000_000));
  await Promise.all(subscriptions.map((subscription) => subscription.start()));
  await rig.clock.advance(1_000);
  assertLess(most, SHARED_PAUSE_SIZE + 40 * 2_000_000);
  gate.resolve();
  await rig.clock.advance(20_000);
  assertEquals(subscriptions.map(({ counters }) => counters.handled), new Array(40).fill(5));
  await rig.close(...subscriptions);
  assertEquals(size, 0);
});

Deno.test("a batch that was large is followed by one of half as many entries, a small one by twice as many", () => {
  const limits = { most: 100, mostSize: MOST_SIZE };
  const size = new BatchSize({ ...limits, cautious: true });
  const asked: number[] = [];
  const come = (each: number) => {
    asked.push(size.next);
    size.came(size.next, size.next * each);
  };
  for (let at = 0; at < 4; at++) come(1_000);
  for (let at = 0; at < 6; at++) come(4_000_000);
  for (let at = 0; at < 4; at++) come(1_000);
  assertEquals(asked, [16, 32, 64, 100, 100, 50, 25, 12, 6, 3, 3, 6, 12, 24]);
  assertEquals(new BatchSize({ ...limits, cautious: false }).next, 100);
});

Deno.test("what a broker cannot write for a reason of its own is told once, counted, and then cut", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new Error("bug");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 1 });
  let refused = 0;
  rig.broker.fault = (operation) => {
    if (operation === "deadLetter" && refused++ < 3) throw new ProteanError("string exceeds its bound");
    return undefined;
  };
  const lines = await logged(async () => {
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(60_000);
  });
  const [letter, ...others] = await rig.deadLetters();
  assertEquals([facts(letter)["truncated_bytes"], others], [eventText("a", 1).length, []]);
  const told = lines.filter(({ rawMessage }) => String(rawMessage).includes("subscription.outcome_failed"));
  assertEquals(told.map(({ level }) => level), ["error"]);
  assertStringIncludes(String(told[0]?.properties["error"]), "string exceeds its bound");
  assertEquals([subscription.counters.failed, subscription.counters.deadLettered], [2, 1]);
  await rig.close(subscription);
});
