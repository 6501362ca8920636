/** A lease that runs out by time, and a broker or a process that takes longer. */
import { assertEquals } from "@std/assert";
import { Bench, intercept } from "./outbox_rig.ts";

Deno.test("a publish that takes long does not outlive the lease: word is given meanwhile", async () => {
  const bench = new Bench();
  let words = 0;
  intercept(bench, {
    lease: (lease) => ({
      settle: (outcomes) => {
        if (outcomes.length === 0) words++;
        return lease.settle(outcomes);
      },
    }),
  });
  const gate = Promise.withResolvers<void>();
  bench.broker.gate = gate.promise;
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1");
  await bench.clock.advance(61_000);
  assertEquals(words, 12);
  gate.resolve();
  await bench.clock.advance(0);
  assertEquals([bench.broker.published, await bench.counts()], [["a1"], "published 1"]);
  await bench.clock.advance(60_000);
  assertEquals(words, 12);
  await bench.close(processor);
});

Deno.test("a process that stood still with rows claimed leaves them to whoever holds the shards now", async () => {
  const bench = new Bench();
  let frozen = true;
  intercept(bench, {
    lease: (lease) => ({
      claim: async (limit) => {
        const rows = await lease.claim(limit);
        if (rows.length > 0 && frozen) {
          frozen = false;
          await new Promise<void>((resolve) => bench.clock.after(60_000, resolve));
          // Meanwhile the shards were given to another, who has published these rows and later ones.
          bench.broker.batches.push(0);
        }
        return rows;
      },
    }),
  });
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1");
  await bench.clock.advance(60_000);
  assertEquals([bench.broker.batches, bench.broker.published], [[0], []]);
  await bench.clock.advance(6_000);
  assertEquals([bench.broker.batches, bench.broker.published], [[0, 1], ["a1"]]);
  await bench.close(processor);
});
