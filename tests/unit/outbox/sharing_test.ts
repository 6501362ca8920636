/** Several processors on one outbox: everybody gets a share, and no stream is in two hands (delivery 9). */
import { assert, assertEquals } from "@std/assert";
import type { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { Bench, intercept } from "./outbox_rig.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

/** Rows on 26 streams keep coming, every 10 ms; answers how many each processor has published meanwhile. */
async function load(bench: Bench, processors: readonly OutboxProcessor[], from: number, rounds: number) {
  const before = processors.map(({ counters }) => counters.published);
  for (let round = from; round < from + rounds; round++) {
    await bench.commit(LETTERS.map((letter) => `${letter}${round}`).join(" "));
    await bench.clock.advance(10);
  }
  return processors.map(({ counters }, index) => counters.published - (before[index] ?? 0));
}

function assertAllInOrder(bench: Bench, rounds: number): void {
  for (const letter of LETTERS) {
    assertEquals(bench.ofStream(letter), Array.from({ length: rounds }, (_, round) => `${letter}${round}`));
  }
}

Deno.test("a processor that starts later has its share of a steady load within a second", async () => {
  const bench = new Bench();
  const [first, second] = [bench.processor(), bench.processor()];
  await first.start();
  assertEquals(await load(bench, [first], 0, 20), [26 * 20]);
  await second.start();
  await load(bench, [first, second], 20, 100);
  const shares = await load(bench, [first, second], 120, 20);
  assertEquals(shares.reduce((sum, share) => sum + share), 26 * 20);
  assert(Math.min(...shares) > 26 * 20 / 4, `${shares}`);
  await bench.close(first, second);
  assertAllInOrder(bench, 140);
});

Deno.test("what a processor held is published by the others after it has stopped", async () => {
  const bench = new Bench();
  const [first, second] = [bench.processor(), bench.processor()];
  await first.start();
  await second.start();
  await load(bench, [first, second], 0, 100);
  assert(second.counters.published > 0);
  const stopping = first.stop();
  await bench.clock.advance(0);
  await stopping;
  await load(bench, [second], 100, 50);
  await bench.clock.advance(1000);
  assertAllInOrder(bench, 150);
  await bench.close(second);
});

Deno.test("a processor that runs keeps its shards from batch to batch, and lets them go when it stops", async () => {
  const bench = new Bench();
  let leases = 0;
  intercept(bench, {
    lease: () => {
      leases++;
      return {};
    },
  });
  const processor = bench.processor();
  await processor.start();
  await load(bench, [processor], 0, 10);
  await bench.clock.advance(5000);
  await load(bench, [processor], 10, 10);
  assertEquals([leases, processor.counters.published], [1, 26 * 20]);
  await bench.close(processor);
  const free = await bench.provider.outbox.lease({ broker: "default", owner: "other" });
  assertEquals(free.shards.length, 16);
});
