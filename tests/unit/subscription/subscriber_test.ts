/** Subscribers: what another system has put on a stream, from the entry to its outcome. */
import { assertEquals, assertMatch, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { type Context, DeadLetter, type DeadLetterEntry, Discard, Domain, type Row } from "@protean/server";
import { z } from "zod";
import { planSubscriptions } from "../../../lib/engine/subscription_plan.ts";
import { DeadLetterQueues } from "../../../lib/dlq/queues.ts";
import { ConfigurationError, IncorrectUsageError } from "../../../lib/errors.ts";
import { collectStatus } from "../../../lib/status/collect.ts";
import { testDomain } from "../../../lib/testing/mod.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { subscribeTo } from "../../support/subscribe_to.ts";
import { SubscriptionRig } from "../../support/subscription_rig.ts";
import { inMemory, runnerOf, started } from "../domain/fixture.ts";

const STREAM = "payments";
type Handle = (payload: Row, ctx: Context) => unknown;

/** A domain with one subscriber, whose effect is a row in a view. */
function desk(handle?: Handle, options: Row = {}) {
  const domain = new Domain("shop");
  const Payment = domain.projection("Payment", { schema: z.object({ id: z.string(), times: z.number() }) });
  const seen: Row[] = [];
  domain.subscriber("Payments", {
    stream: STREAM,
    idempotent: true,
    ...options,
    handle: async (payload, ctx) => {
      seen.push(structuredClone(payload));
      await handle?.(payload, ctx);
      const id = String(payload["id"]);
      const row = await ctx.view(Payment).get(id);
      await ctx.view(Payment).put({ id, times: (row?.times ?? 0) + 1 });
    },
  });
  return { domain, seen, Payment };
}

/** The subscriber of `domain` on a stream of a rig. */
async function running(domain: Domain, change: Parameters<SubscriptionRig["subscribe"]>[1] = {}) {
  const domainRun = await started(domain);
  const rig = new SubscriptionRig(STREAM);
  const runner = runnerOf(domainRun.runtime, "Payments");
  const subscription = rig.subscribe(runner, { idempotent: true, ...change });
  await subscription.start();
  return {
    rig,
    runner,
    subscription,
    async [Symbol.asyncDispose]() {
      await rig.close(subscription);
      await domainRun[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a subscriber is given the entry's object as it is, no envelope wanted", async () => {
  const { domain, seen } = desk();
  await using run = await running(domain);
  const entries: Row[] = [
    { id: "a", amount: 5 },
    {},
    { data: 7, metadata: "none" },
    { metadata: { headers: [], domain: null } },
    {
      metadata: {
        envelope: { checksum: "wrong" },
        headers: { type: "Bank.Paid.v9", deadline: "1999-01-01T00:00:00Z" },
      },
    },
  ];
  await run.rig.send(...entries.map((entry) => JSON.stringify(entry)));
  assertEquals(seen, entries);
  assertEquals(run.subscription.counters.handled, entries.length);
  assertEquals(await run.rig.deadLetters(), []);
});

Deno.test("the context tells id, stream and correlation of a foreign message, as far as it has any", async () => {
  const found: { id: string; type: string; stream: string; correlation: string }[] = [];
  const { domain } = desk((_payload, { message }) => {
    const { domain: { correlation_id, kind } } = message.metadata as { domain: Record<string, string> };
    assertEquals(kind, "BROKER_MESSAGE");
    const { id, type, stream } = message;
    found.push({ id, type, stream, correlation: String(correlation_id) });
  });
  await using shop = await testDomain(domain);
  const all = {
    metadata: {
      headers: { id: "m", type: "T", stream: "s-1" },
      domain: { correlation_id: "c1" },
      correlation_id: "c2",
    },
    correlation_id: "c3",
  };
  await shop.receive(STREAM, all, { id: "1-0" });
  await shop.receive(STREAM, { metadata: { correlation_id: "c2" }, correlation_id: "c3" }, { id: "2-0" });
  await shop.receive(STREAM, { correlation_id: "c3" }, { id: "3-0" });
  await shop.receive(STREAM, { metadata: { headers: { id: 12 } } }, { id: "4-0" });
  await shop.receive(STREAM, { correlation_id: "nul\0", metadata: { headers: { id: "x".repeat(2000) } } }, {
    id: "5-0",
  });
  assertEquals(found.slice(0, 3), [
    { id: "m", type: "T", stream: "s-1", correlation: "c1" },
    { id: "2-0", type: "", stream: STREAM, correlation: "c2" },
    { id: "3-0", type: "", stream: STREAM, correlation: "c3" },
  ]);
  assertEquals(found.slice(3).map(({ id }) => id), ["12", "5-0"]);
  for (const { correlation } of found.slice(3)) assertMatch(correlation, /^[0-9a-f]{32}$/);
  assertNotEquals(found[3]?.correlation, found[4]?.correlation);
});

Deno.test("what a subscriber sends carries the correlation on, and names the foreign message as its cause", async () => {
  const domain = new Domain("shop");
  const schema = z.object({ orderId: z.string() });
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const Paid = domain.event("Paid", { partOf: Order, schema });
  const Settle = domain.command("Settle", { partOf: Order, schema });
  domain.subscriber("Payments", {
    stream: STREAM,
    handle: async (_payload, ctx) => {
      await ctx.publish(Paid, { orderId: "1" });
      await ctx.process(Settle, { orderId: "1" });
    },
  });
  await using shop = await testDomain(domain);
  const { messages } = await shop.receive(STREAM, {
    correlation_id: "c",
    metadata: { headers: { id: "m" } },
  });
  assertEquals(messages.length, 2);
  for (const { metadata: { domain } } of messages) {
    assertEquals([domain.correlation_id, domain.causation_id, domain.origin_stream], ["c", "m", null]);
  }
});

const MALFORMED = {
  "no JSON": "{",
  "an empty text": "",
  "a number": "5",
  "a text": '"paid"',
  "an array": '[{"id":"a"}]',
  "null": "null",
  "bytes that are no UTF-8": '{"base64":"//8="}',
  "an integer of 5000 digits": `{"id":${"9".repeat(5000)}}`,
};

Deno.test("every malformed kind is dead-lettered once, with the reason, acknowledged, and holds up nothing", async () => {
  const { domain, seen } = desk();
  await using run = await running(domain);
  for (const text of Object.values(MALFORMED)) await run.rig.send(text, '{"id":"good"}');
  await run.rig.clock.advance(60_000);
  const letters = await run.rig.deadLetters() as { _dlq_metadata: Record<string, unknown> }[];
  assertEquals(letters.length, Object.keys(MALFORMED).length);
  for (const { _dlq_metadata: { error_type, retry_count, original_stream, consumer_group } } of letters) {
    assertEquals([error_type, retry_count, original_stream, consumer_group], [
      "DeserializationError",
      1,
      STREAM,
      "shop.Payments",
    ]);
  }
  assertEquals(seen.length, Object.keys(MALFORMED).length);
  assertEquals(await run.rig.pending(run.runner), []);
});

Deno.test("an entry larger than max_received_bytes is dead-lettered unread", async () => {
  const { domain, seen } = desk();
  await using run = await running(domain);
  await run.rig.send(JSON.stringify({ id: "x".repeat(9 * 1024 * 1024) }), '{"id":"small"}');
  await run.rig.clock.advance(10_000);
  const [letter, ...others] = await run.rig.deadLetters() as { _dlq_metadata: Record<string, unknown> }[];
  assertEquals(others, []);
  assertEquals(letter?._dlq_metadata["error_type"], "MessageTooLarge");
  assertEquals(seen, [{ id: "small" }]);
});

Deno.test("a failing entry is retried with backoff, then dead-lettered whole, and others go on meanwhile", async () => {
  const { domain, seen } = desk(({ id }) => {
    if (id === "bad") throw new Error("refused");
  });
  await using run = await running(domain);
  await run.rig.send('{"id":"bad"}', '{"id":"good"}');
  assertEquals(seen.map(({ id }) => id), ["bad", "good"]);
  await run.rig.clock.advance(10_000);
  assertEquals(seen.filter(({ id }) => id === "bad").length, 3);
  const [letter] = await run.rig.deadLetters() as Row[];
  assertEquals(letter?.["id"], "bad");
  assertEquals((letter?.["_dlq_metadata"] as Row)["failure_reason"], "Error: refused");
  assertEquals(await run.rig.pending(run.runner), []);
});

Deno.test("entries of one foreign stream keep their order while one of them backs off", async () => {
  let broken = true;
  const { domain, seen } = desk(({ id }) => {
    if (id === "a1" && broken) throw new Error("away");
  });
  await using run = await running(domain, { concurrency: 4 });
  const entry = (id: string) =>
    JSON.stringify({ id, metadata: { headers: { stream: `bank-${id.slice(0, 1)}` } } });
  await run.rig.send(...["a1", "a2", "b1", "a3"].map(entry));
  broken = false;
  await run.rig.clock.advance(10_000);
  assertEquals(seen.map(({ id }) => id), ["a1", "b1", "a1", "a2", "a3"]);
});

Deno.test("an idempotent subscriber tells repetitions by the broker's entry, not by what the payload says", async () => {
  const { domain, Payment } = desk();
  await using shop = await testDomain(domain);
  const same = { id: "p", metadata: { headers: { id: "always the same" } } };
  for (const id of ["1-0", "1-0", "2-0"]) await shop.receive(STREAM, same, { id });
  assertEquals(await shop.rows(Payment), [{ id: "p", times: 2 }]);
});

Deno.test("a replayed dead letter is given as it was the first time", async () => {
  let broken = true;
  const { domain, seen } = desk(() => {
    if (broken) throw new Error("away");
  });
  await using run = await running(domain, { maxRetries: 1 });
  await run.rig.send('{"id":"p","_dlq_metadata":"theirs"}');
  await run.rig.clock.advance(1_000);
  assertEquals((await run.rig.deadLetters()).length, 1);
  broken = false;
  await run.rig.replayAll(run.runner);
  await run.rig.clock.advance(6_000);
  assertEquals(run.subscription.counters.handled, 1);
  assertEquals(Object.keys(seen[1] ?? {}), ["id"]);
});

Deno.test("what an attempt does to its payload is gone in the next one", async () => {
  const lengths: unknown[] = [];
  const { domain } = desk((payload) => {
    const items = payload["items"] as unknown[];
    lengths.push(items.length);
    items.push("more");
    if (lengths.length < 3) throw new Error("once more");
  });
  await using run = await running(domain);
  await run.rig.send('{"id":"p","items":[]}');
  await run.rig.clock.advance(10_000);
  assertEquals(lengths, [0, 0, 0]);
});

Deno.test("long integers of a foreign payload keep every digit", async () => {
  const { domain, seen } = desk();
  await using run = await running(domain);
  await run.rig.send('{"id":"p","cents":12345678901234567890}');
  assertEquals(seen[0]?.["cents"], 12345678901234567890n);
});

Deno.test("a subscriber reads from the broker it names; status and dead letters are found there", async () => {
  const { domain, seen } = desk(({ id }) => {
    if (id === "bad") throw new Error("refused");
  }, { broker: "bank", subscriptionConfig: { maxRetries: 1 }, consumerGroup: "accounts" });
  const config = inMemory({ brokers: { default: { provider: "memory" }, bank: { provider: "memory" } } });
  await using run = await started(domain, { config });
  const [planned] = planSubscriptions(run.runtime);
  assertEquals(planned?.broker.name, "bank");
  assertEquals(planned?.runner.group, "accounts");
  const bank = run.runtime.brokers.get("bank");
  await bank?.group({ stream: STREAM, group: "accounts", consumer: "c" }).ensure();
  await bank?.publish([{ stream: STREAM, data: '{"id":"bad"}' }]);
  const [row] = await collectStatus(run.runtime);
  assertEquals([row?.name, row?.subscription_type, row?.stream_category, row?.lag], [
    "accounts",
    "broker",
    STREAM,
    1,
  ]);

  if (!planned) return;
  const subscription = subscribeTo(planned, run.clock);
  await subscription.start();
  await run.clock.advance(1_000);
  await subscription.stop();
  assertEquals(seen, [{ id: "bad" }]);
  const queues = DeadLetterQueues.of(run.runtime);
  const { entries: [letter] } = await queues.list();
  assertEquals([letter?.subscription, letter?.broker, letter?.letter.consumerGroup], [
    STREAM,
    "bank",
    "accounts",
  ]);
  if (letter) assertEquals(await queues.replay(letter), "replayed");
  assertEquals(await queues.count({}), 0);
});

Deno.test("retries and dead letters of subscribers are [server.broker_subscription]'s; nothing else of a profile or retention reaches a stream of others", async () => {
  const { domain } = desk();
  const server = {
    default_subscription_type: "event_store",
    default_subscription_profile: "fast",
    stream_subscription: { retention_maxlen: 10, max_retries: 9, concurrency: 3 },
    broker_subscription: { max_retries: 7, retry_delay_seconds: 2, enable_dlq: false },
    subscriptions: { Payments: { profile: "production", max_deliveries: 4, retry_delay_seconds: 5 } },
  };
  await using run = await started(domain, { config: inMemory({ server: { ...server, subscriptions: {} } }) });
  const [plain] = planSubscriptions(run.runtime);
  const { subscriptionType, retentionMaxlen, maxRetries, retryDelaySeconds, enableDlq, concurrency } =
    plain?.settings ?? {} as never;
  assertEquals([subscriptionType, retentionMaxlen, maxRetries, retryDelaySeconds, enableDlq, concurrency], [
    "stream",
    undefined,
    7,
    2,
    false,
    3,
  ]);
  await domain.close();
  await domain.init({ config: inMemory({ server }), env: "" });
  const [own] = planSubscriptions(runtimeOf(domain));
  assertEquals([own?.settings.maxRetries, own?.settings.maxDeliveries, own?.settings.retryDelaySeconds], [
    3,
    4,
    5,
  ]);
  assertEquals([own?.settings.retentionMaxlen, own?.settings.subscriptionType], [undefined, "stream"]);
});

Deno.test("a subscriber that asks for the event store, or for a broker that is not there, is refused with a sentence", async () => {
  const asked = desk(undefined, { subscriptionConfig: { subscriptionType: "event_store" } });
  await using run = await started(asked.domain);
  assertMatch(
    assertThrows(() => planSubscriptions(run.runtime), ConfigurationError).message,
    /'Payments'.*never the event store/,
  );
  const elsewhere = desk(undefined, { broker: "bnak" });
  const error = await assertRejects(() => elsewhere.domain.init({ config: inMemory() }), ConfigurationError);
  assertMatch(
    error.message,
    /Payments reads from the broker 'bnak', which is not configured: add \[brokers\.bnak\]/,
  );
});

Deno.test("a subscriber without a stream, a broker's name or a handler is refused where it is declared", () => {
  const handle = () => {};
  const declare = (options: unknown) => () =>
    new Domain("shop").subscriber("Payments", options as { stream: string; handle: Handle });
  for (
    const options of [{ handle }, { stream: "", handle }, { stream: "a\0", handle }, { stream: 5, handle }, {
      stream: "s",
      broker: "",
      handle,
    }, { stream: "s" }]
  ) {
    assertThrows(declare(options), IncorrectUsageError, "Payments");
  }
  for (const option of ["sequentialBy", "subscriptionProfile", "handles", "idempotant"]) {
    const error = assertThrows(declare({ stream: "s", handle, [option]: "x" }), IncorrectUsageError);
    assertMatch(error.message, new RegExp(`option '${option}'`));
  }
  assertThrows(() => new Domain("shop").subscriber("no name", { stream: "s", handle }), IncorrectUsageError);
});

Deno.test("two subscribers of one group on one stream are refused, of one name on two brokers are not shared", async () => {
  const handle = () => {};
  const twice = new Domain("shop");
  twice.subscriber("A", { stream: "s", consumerGroup: "g", handle });
  twice.subscriber("B", { stream: "s", consumerGroup: "g", handle });
  await assertRejects(
    () => twice.init({ config: inMemory() }),
    ConfigurationError,
    "consumer group 'g' on 's'",
  );
  const apart = new Domain("shop");
  apart.subscriber("A", { stream: "s", consumerGroup: "g", handle });
  apart.subscriber("B", { stream: "s", consumerGroup: "g", broker: "bank", handle });
  const config = inMemory({ brokers: { default: { provider: "memory" }, bank: { provider: "memory" } } });
  await using _run = await started(apart, { config });
});

Deno.test("a subscriber decides as every handler does, and its onDeadLetter is told of what it and nobody could read", async () => {
  const told: unknown[] = [];
  const { domain } = desk(({ id }) => {
    if (id === "dead") throw new DeadLetter("no further attempt");
    if (id === "no") throw new Discard("not ours");
  }, { onDeadLetter: ({ payload, handler }: DeadLetterEntry) => void told.push([handler, payload]) });
  await using run = await running(domain);
  await run.rig.send('{"id":"dead"}', '{"id":"no"}', "no message", '{"id":"good"}');
  await run.rig.clock.advance(1_000);
  assertEquals((await run.rig.deadLetters()).length, 2);
  assertEquals([run.subscription.counters.handled, run.subscription.counters.retried], [1, 0]);
  assertEquals(told.length, 2);
  assertEquals(told[0], ["Payments", { id: "dead" }]);
});
