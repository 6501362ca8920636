import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "../../support/property.ts";
import { sleep } from "../../../lib/async/clock.ts";
import { ConfigurationError, ProviderUnavailableError } from "../../../lib/errors.ts";
import { OutboxCleaner } from "../../../lib/outbox/cleaner.ts";
import { outboxDelay } from "../../../lib/outbox/publish.ts";
import { intercept, OutboxRig } from "./outbox_rig.ts";

Deno.test("a commit wakes the processor at once, without a tick (OBX-2)", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1 a2 b1");
  assertEquals(rig.broker.published.toSorted(), ["a1", "a2", "b1"]);
  assertEquals(rig.ofStream("a"), ["a1", "a2"]);
  assertEquals(await rig.counts(), "published 3");
  assertEquals(processor.counters.published, 3);
  await rig.close(processor);
});

Deno.test("rows committed before the start are published", async () => {
  const rig = new OutboxRig();
  await rig.commit("a1 b1");
  const processor = rig.processor(1);
  await processor.start();
  await rig.clock.advance(10);
  assertEquals(rig.broker.published.length, 2);
  await rig.close(processor);
});

Deno.test("a broker that is away leaves the rows pending and uncounted, and they leave when it is back (OBX-4)", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor();
  rig.broker.away = true;
  await processor.start();
  await rig.commit("a1 a2");
  await rig.clock.advance(60_000);
  assertEquals(await rig.counts(), "pending 2");
  rig.broker.away = false;
  await rig.clock.advance(6_000);
  assertEquals(rig.broker.published, ["a1", "a2"]);
  assertEquals(await rig.counts(), "published 2");
  await rig.close(processor);
});

Deno.test("a broker out of memory for one stream holds back that stream in order, and loses nothing", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor();
  rig.broker.full.add("shop::order-a");
  await processor.start();
  await rig.commit("a1 b1 a2 b2");
  await rig.clock.advance(30_000);
  assertEquals(rig.ofStream("b"), ["b1", "b2"]);
  assertEquals(rig.ofStream("a"), []);
  rig.broker.full.clear();
  await rig.clock.advance(6_000);
  assertEquals(rig.ofStream("a"), ["a1", "a2"]);
  await rig.close(processor);
});

Deno.test("a row that the broker refuses is retried on [outbox.retry], then abandoned, and can be requeued (S55, OBX-3)", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor(1);
  rig.broker.refused.add("shop::order-a");
  await processor.start();
  await rig.commit("a1");
  assertEquals(await rig.counts(), "failed 1");
  await rig.commit("b1");
  assertEquals(rig.ofStream("b"), ["b1"]);
  await rig.clock.advance(1_000);
  assertEquals(await rig.counts(), "published 1, failed 1");
  await rig.clock.advance(2_000);
  assertEquals(await rig.counts(), "published 1, abandoned 1");
  const [row] = await rig.provider.outbox.list({ status: "abandoned", limit: 10 });
  assertStringIncludes(row?.lastError ?? "", "Max retries exceeded");
  rig.broker.refused.clear();
  assertEquals(await rig.provider.outbox.requeue(), 1);
  await rig.clock.advance(2_000);
  assertEquals(rig.ofStream("a"), ["a1"]);
  await rig.close(processor);
});

Deno.test("later rows of a stream wait behind a failed one, and go on once it is abandoned", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor(10);
  rig.broker.refused.add("shop::order-a");
  await processor.start();
  await rig.commit("a1");
  rig.broker.refused.clear();
  await rig.commit("a2");
  assertEquals(rig.ofStream("a"), []);
  await rig.clock.advance(1_000);
  assertEquals(rig.ofStream("a"), ["a1", "a2"]);
  await rig.close(processor);
});

Deno.test("two processors publish every row once, each stream in order (delivery 9)", async () => {
  const rig = new OutboxRig();
  const one = rig.processor(3);
  const two = rig.processor(3);
  await one.start();
  await two.start();
  const expected = new Map<string, string[]>();
  for (let round = 0; round < 30; round++) {
    const names = "abcdefgh".split("").map((letter) => `${letter}${round}`);
    for (const name of names) expected.set(name.slice(0, 1), [...expected.get(name.slice(0, 1)) ?? [], name]);
    await rig.commit(names.join(" "));
  }
  await rig.clock.advance(5_000);
  assertEquals(rig.broker.published.length, 240);
  for (const [letter, names] of expected) assertEquals(rig.ofStream(letter), names);
  await rig.close(one, two);
});

Deno.test("the delay before publishing again follows every key of [outbox.retry] (OBX-3)", () => {
  const keys = {
    max_attempts: 9,
    base_delay_seconds: 2,
    max_backoff_seconds: 10,
    backoff_multiplier: 3,
    jitter: true,
    jitter_factor: 0.5,
  };
  assertEquals([1, 2, 3, 9].map((attempt) => outboxDelay(attempt, { ...keys, jitter: false }, () => 1)), [
    2000,
    6000,
    10_000,
    10_000,
  ]);
  assertEquals([0, 0.5, 1].map((random) => outboxDelay(1, keys, () => random)), [1000, 2000, 3000]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const delay = outboxDelay(attempt, keys, () => random);
        assert(delay >= 1000 && delay <= 15_000);
      },
    ),
  );
});

Deno.test("the longest delay before publishing again is a time that a database can keep and compare", () => {
  const keys = { max_attempts: 9, backoff_multiplier: 2, jitter: true, jitter_factor: 1 };
  for (const seconds of [2 ** 31, 1e12, Number.MAX_VALUE]) {
    const retry = { ...keys, base_delay_seconds: seconds, max_backoff_seconds: seconds };
    const due = new Date(Date.now() + outboxDelay(9, retry, () => 1)).toISOString();
    assert(due > "2090" && due < "3000", due);
  }
});

Deno.test("the cleaner removes what is past its retention, in batches, and keeps the rest (OBX-5)", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1 a2 a3 b1 b2");
  const cleaner = new OutboxCleaner({
    provider: rig.provider,
    clock: rig.clock,
    intervalSeconds: 60,
    publishedRetentionHours: 1,
    abandonedRetentionHours: 1,
    batchSize: 2,
  });
  await rig.clock.advance(1_800_000);
  await rig.commit("c1");
  assertEquals(await cleaner.pass(), 0);
  await rig.clock.advance(1_800_001);
  assertEquals(await cleaner.pass(), 5);
  assertEquals(await rig.counts(), "published 1");
  await rig.close(processor);
});

Deno.test("a database that answers slowly is asked once a tick while nothing is due", async () => {
  const rig = new OutboxRig();
  let claims = 0;
  intercept(rig, {
    lease: (lease) => ({
      claim: async (limit) => {
        claims++;
        await sleep(rig.clock, 250);
        return await lease.claim(limit);
      },
    }),
  });
  const processor = rig.processor();
  await processor.start();
  await rig.clock.advance(10_000);
  assert(claims <= 10, `${claims}`);
  const stopping = processor.stop();
  // The look that is under way, and the flush's own.
  await rig.clock.advance(500);
  await stopping;
});

Deno.test("tables that a newer server has changed meanwhile end the service, however late they are seen", async () => {
  const failures: Error[] = [];
  const rig = new OutboxRig();
  let away = false;
  const gone = new ProviderUnavailableError("It is away.");
  intercept(rig, { lease: (of) => ({ claim: (limit) => away ? Promise.reject(gone) : of.claim(limit) }) });
  const processor = rig.processor(10, (error) => failures.push(error));
  await processor.start();
  await rig.commit("a1");
  assertEquals(await rig.counts(), "published 1");
  const newer = new ConfigurationError("The outbox has schema version 9.", { code: "DATABASE_SCHEMA_NEWER" });
  rig.provider.setup = () => Promise.reject(newer);
  away = true;
  await rig.commit("a2");
  await rig.clock.advance(60_000);
  assertEquals(failures, [newer]);
  await rig.close(processor);
});

Deno.test("large rows are claimed fewer at a time, and small ones more again (SEC-3)", async () => {
  const rig = new OutboxRig();
  const large = JSON.stringify({ pad: "x".repeat(1_500_000) });
  await rig.commit(Array.from({ length: 40 }, (_, n) => `a${n}`).join(" "), large);
  const processor = rig.processor(50);
  await processor.start();
  await rig.clock.advance(0);
  assertEquals(rig.broker.batches, [16, 8, 8, 8]);
  await rig.commit(Array.from({ length: 90 }, (_, n) => `b${n}`).join(" "));
  assertEquals(rig.broker.batches.slice(4), [8, 16, 32, 34]);
  assertEquals(await rig.counts(), "published 130");
  await rig.close(processor);
});
