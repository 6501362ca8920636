/** To stop a processor is to flush it; a cut ends that with the batch under way (DRN-1, D15). */
import { assertEquals } from "@std/assert";
import { Bench } from "./outbox_rig.ts";

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
