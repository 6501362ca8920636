/** To stop a processor is to flush it; a cut ends that with the batch under way (DRN-1, D15). */
import { assert, assertEquals } from "@std/assert";
import { Bench, intercept } from "./outbox_rig.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

Deno.test("what was committed before the stop leaves, also while a batch is under way", async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  bench.broker.gate = gate.promise;
  const processor = bench.processor(2);
  await processor.start();
  await bench.commit("a1 a2 a3");
  await bench.commit("a4");
  const stopping = processor.stop();
  await bench.commit("a5");
  gate.resolve();
  await bench.clock.advance(0);
  await stopping;
  assertEquals(bench.broker.published, ["a1", "a2", "a3", "a4", "a5"]);
  assertEquals([await bench.counts(), bench.clock.pending], ["published 5", 0]);
});

Deno.test("an idle processor that is told to stop looks once more", async () => {
  const bench = new Bench();
  const processor = bench.processor();
  await processor.start();
  await bench.clock.advance(500);
  const committed = bench.commit("a1");
  const stopping = processor.stop();
  await committed;
  await bench.clock.advance(0);
  await stopping;
  assertEquals([bench.broker.published, await bench.counts()], [["a1"], "published 1"]);
});

Deno.test("after a cut nothing further is begun, and nothing stays between publishing and the record of it", async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  bench.broker.gate = gate.promise;
  const processor = bench.processor(2);
  await processor.start();
  await bench.commit("a1 a2 a3 a4 a5");
  const stopping = processor.stop();
  await bench.clock.advance(0);
  processor.cut();
  gate.resolve();
  await bench.clock.advance(0);
  await stopping;
  // The batch that had been claimed ahead is put back: nobody has to wait for it.
  assertEquals([bench.broker.published, await bench.counts()], [["a1", "a2"], "pending 3, published 2"]);
  const next = bench.processor();
  await next.start();
  await bench.clock.advance(0);
  assertEquals(bench.broker.published, ["a1", "a2", "a3", "a4", "a5"]);
  await bench.close(next);
});

Deno.test("rows whose claim is answered after the cut are put back unpublished", async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  intercept(bench, {
    lease: (lease) => ({
      claim: async (limit) => {
        const rows = await lease.claim(limit);
        if (rows.length > 0) await gate.promise;
        return rows;
      },
    }),
  });
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1 b1");
  assertEquals(await bench.counts(), "processing 2");
  const stopping = processor.stop();
  processor.cut();
  gate.resolve();
  await bench.clock.advance(0);
  await stopping;
  assertEquals([bench.broker.published, await bench.counts()], [[], "pending 2"]);
});

Deno.test("a stop in the pause after a failure publishes what is due, once the broker is back", async () => {
  const bench = new Bench();
  bench.broker.away = true;
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1");
  bench.broker.away = false;
  const stopping = processor.stop();
  await bench.clock.advance(0);
  await stopping;
  assertEquals([bench.broker.published, await bench.counts()], [["a1"], "published 1"]);
});

Deno.test("hints of what others go on committing do not keep a processor from stopping", async () => {
  const bench = new Bench();
  let wake = () => {};
  let looks = 0;
  intercept(bench, {
    store: {
      watch: (given) => {
        wake = given;
        return () => {};
      },
    },
    // A commit of another process comes with every look.
    lease: (lease) => ({
      claim: async (limit) => {
        if (++looks < 100) wake();
        return await lease.claim(limit);
      },
    }),
  });
  const processor = bench.processor();
  await processor.start();
  await processor.stop();
  assert(looks < 5, `${looks} looks`);
});

Deno.test("a backlog that somebody else stands for as well is left to him, behind what is claimed", async () => {
  const bench = new Bench();
  const other = await bench.provider.outbox.lease({ broker: "default", owner: "staying" });
  const leaving = bench.processor(2);
  await leaving.start();
  await bench.clock.advance(0);
  await other.share();
  await bench.clock.advance(2_000);
  assertEquals(other.shards.length, 8);
  const gate = Promise.withResolvers<void>();
  bench.broker.gate = gate.promise;
  await bench.commit(LETTERS.map((letter) => `${letter}1`).join(" "));
  const stopping = leaving.stop();
  gate.resolve();
  await bench.clock.advance(0);
  await stopping;
  // The batch under way, and the one that had been claimed ahead.
  assertEquals([bench.broker.batches, await bench.counts()], [[2, 2], "pending 22, published 4"]);
  await other.share();
  assertEquals(other.shards.length, 16);
  await other.release();
});

Deno.test("a broker that is away does not keep a processor from stopping", async () => {
  const bench = new Bench();
  bench.broker.away = true;
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1");
  await bench.clock.advance(100);
  const stopping = processor.stop();
  await bench.clock.advance(0);
  await stopping;
  assertEquals([await bench.counts(), bench.clock.pending], ["pending 1", 0]);
});
