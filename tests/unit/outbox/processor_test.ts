import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import type { OutboxInsert, PublishResult } from "../../../lib/adapters/ports.ts";
import { FakeClock } from "../../../lib/clock.ts";
import { BrokerUnavailableError } from "../../../lib/errors.ts";
import { shardOf } from "../../../lib/domain/shard.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";
import { eventMetadata } from "../../../lib/message/metadata.ts";
import { OutboxCleaner } from "../../../lib/outbox/cleaner.ts";
import { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { outboxDelay } from "../../../lib/outbox/publisher.ts";

const retry = {
  max_attempts: 3,
  base_delay_seconds: 1,
  max_backoff_seconds: 60,
  backoff_multiplier: 2,
  jitter: false,
  jitter_factor: 0.25,
};

/** A memory broker whose publishing the test can break: away altogether, or for single streams. */
class FragileBroker extends MemoryBroker {
  away = false;
  full = new Set<string>();
  refused = new Set<string>();
  readonly published: string[] = [];

  override async publish(
    entries: readonly { readonly stream: string; readonly data: string }[],
  ): Promise<readonly PublishResult[]> {
    if (this.away) throw new BrokerUnavailableError("Broker 'default' does not answer.");
    const results: PublishResult[] = [];
    for (const entry of entries) {
      const id = decodeMessage(entry.data).metadata.headers.id;
      const stream = decodeMessage(entry.data).metadata.headers.stream;
      if (this.full.has(stream)) {
        results.push({ error: new BrokerUnavailableError("Broker 'default' is out of memory.") });
      } else if (this.refused.has(stream)) {
        results.push({ error: new Error("WRONGTYPE") });
      } else {
        this.published.push(id);
        results.push(...await super.publish([entry]));
      }
    }
    return results;
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly #options = { name: "default", domain: "shop", settings: {}, folder: ".", clock: this.clock };
  readonly provider = new MemoryProvider(this.#options);
  readonly broker = new FragileBroker(this.#options);
  #n = 0;

  processor(messagesPerTick = 10): OutboxProcessor {
    return new OutboxProcessor({
      provider: this.provider,
      broker: this.broker,
      owner: `host-1-${this.#n++}`,
      clock: this.clock,
      random: () => 0.5,
      settings: { messagesPerTick, maxTickIntervalSeconds: 1, retry },
    });
  }

  /** Commits `a1 a2 b1`, all in one unit of work. */
  async commit(events: string): Promise<void> {
    const outbox = events.split(" ").map((name): OutboxInsert => {
      const stream = `shop::order-${name.slice(0, 1)}`;
      const metadata = eventMetadata({
        id: name,
        time: 0,
        type: "Shop.OrderPlaced.v1",
        stream,
        category: "shop::order",
        checksum: null,
      });
      return {
        messageId: name,
        streamName: stream,
        type: "Shop.OrderPlaced.v1",
        data: "{}",
        metadata,
        targetBroker: "default",
        priority: 0,
        shard: shardOf(stream),
      };
    });
    await this.provider.session().commit({ rows: [], outbox, events: [] });
    await this.clock.advance(0);
  }

  ofStream(name: string): string[] {
    return this.broker.published.filter((id) => id.startsWith(name));
  }

  async counts(): Promise<string> {
    const { counts } = await this.provider.outbox.stats();
    return Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) =>
      `${status} ${count}`
    ).join(", ");
  }

  async close(...processors: OutboxProcessor[]): Promise<void> {
    const stopping = Promise.all(processors.map((processor) => processor.stop()));
    await this.clock.advance(100);
    await stopping;
    assertEquals(this.clock.pending, 0);
  }
}

Deno.test("a commit wakes the processor at once, without a tick (OBX-2)", async () => {
  const bench = new Bench();
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1 a2 b1");
  assertEquals(bench.broker.published.toSorted(), ["a1", "a2", "b1"]);
  assertEquals(bench.ofStream("a"), ["a1", "a2"]);
  assertEquals(await bench.counts(), "published 3");
  assertEquals(processor.counters.published, 3);
  await bench.close(processor);
});

Deno.test("rows committed before the start are published", async () => {
  const bench = new Bench();
  await bench.commit("a1 b1");
  const processor = bench.processor(1);
  await processor.start();
  await bench.clock.advance(10);
  assertEquals(bench.broker.published.length, 2);
  await bench.close(processor);
});

Deno.test("a broker that is away leaves the rows pending and uncounted, and they leave when it is back (OBX-4)", async () => {
  const bench = new Bench();
  const processor = bench.processor();
  bench.broker.away = true;
  await processor.start();
  await bench.commit("a1 a2");
  await bench.clock.advance(60_000);
  assertEquals(await bench.counts(), "pending 2");
  bench.broker.away = false;
  await bench.clock.advance(6_000);
  assertEquals(bench.broker.published, ["a1", "a2"]);
  assertEquals(await bench.counts(), "published 2");
  await bench.close(processor);
});

Deno.test("a broker out of memory for one stream holds back that stream in order, and loses nothing", async () => {
  const bench = new Bench();
  const processor = bench.processor();
  bench.broker.full.add("shop::order-a");
  await processor.start();
  await bench.commit("a1 b1 a2 b2");
  await bench.clock.advance(30_000);
  assertEquals(bench.ofStream("b"), ["b1", "b2"]);
  assertEquals(bench.ofStream("a"), []);
  bench.broker.full.clear();
  await bench.clock.advance(6_000);
  assertEquals(bench.ofStream("a"), ["a1", "a2"]);
  await bench.close(processor);
});

Deno.test("a row that the broker refuses is retried on [outbox.retry], then abandoned, and can be requeued (S55, OBX-3)", async () => {
  const bench = new Bench();
  const processor = bench.processor(1);
  bench.broker.refused.add("shop::order-a");
  await processor.start();
  await bench.commit("a1");
  assertEquals(await bench.counts(), "failed 1");
  await bench.commit("b1");
  assertEquals(bench.ofStream("b"), ["b1"]);
  await bench.clock.advance(1_000);
  assertEquals(await bench.counts(), "published 1, failed 1");
  await bench.clock.advance(2_000);
  assertEquals(await bench.counts(), "published 1, abandoned 1");
  const [row] = await bench.provider.outbox.list({ status: "abandoned", limit: 10 });
  assertStringIncludes(row?.lastError ?? "", "Max retries exceeded");
  bench.broker.refused.clear();
  assertEquals(await bench.provider.outbox.requeue(), 1);
  await bench.clock.advance(2_000);
  assertEquals(bench.ofStream("a"), ["a1"]);
  await bench.close(processor);
});

Deno.test("later rows of a stream wait behind a failed one, and go on once it is abandoned", async () => {
  const bench = new Bench();
  const processor = bench.processor(10);
  bench.broker.refused.add("shop::order-a");
  await processor.start();
  await bench.commit("a1");
  bench.broker.refused.clear();
  await bench.commit("a2");
  assertEquals(bench.ofStream("a"), []);
  await bench.clock.advance(1_000);
  assertEquals(bench.ofStream("a"), ["a1", "a2"]);
  await bench.close(processor);
});

Deno.test("two processors publish every row once, each stream in order (delivery 9)", async () => {
  const bench = new Bench();
  const one = bench.processor(3);
  const two = bench.processor(3);
  await one.start();
  await two.start();
  const expected = new Map<string, string[]>();
  for (let round = 0; round < 30; round++) {
    const names = "abcdefgh".split("").map((letter) => `${letter}${round}`);
    for (const name of names) expected.set(name.slice(0, 1), [...expected.get(name.slice(0, 1)) ?? [], name]);
    await bench.commit(names.join(" "));
  }
  await bench.clock.advance(5_000);
  assertEquals(bench.broker.published.length, 240);
  for (const [letter, names] of expected) assertEquals(bench.ofStream(letter), names);
  await bench.close(one, two);
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

Deno.test("the cleaner removes what is past its retention, in batches, and keeps the rest (OBX-5)", async () => {
  const bench = new Bench();
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1 a2 a3 b1 b2");
  const cleaner = new OutboxCleaner({
    provider: bench.provider,
    clock: bench.clock,
    intervalSeconds: 60,
    publishedRetentionHours: 1,
    abandonedRetentionHours: 1,
    batchSize: 2,
    markRetentionHours: 1,
  });
  await bench.clock.advance(1_800_000);
  await bench.commit("c1");
  assertEquals((await cleaner.pass()).rows, 0);
  await bench.clock.advance(1_800_001);
  assertEquals((await cleaner.pass()).rows, 5);
  assertEquals(await bench.counts(), "published 1");
  await bench.close(processor);
});
