/** To stop a processor is to flush it; a cut ends that with the batch under way (DRN-1, D15). */
import { assert, assertEquals } from "@std/assert";
import { intercept, OutboxRig } from "./outbox_rig.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

Deno.test("what was committed before the stop leaves, also while a batch is under way", async () => {
  const rig = new OutboxRig();
  const gate = Promise.withResolvers<void>();
  rig.broker.gate = gate.promise;
  const processor = rig.processor(2);
  await processor.start();
  await rig.commit("a1 a2 a3");
  await rig.commit("a4");
  const stopping = processor.stop();
  await rig.commit("a5");
  gate.resolve();
  await rig.clock.advance(0);
  await stopping;
  assertEquals(rig.broker.published, ["a1", "a2", "a3", "a4", "a5"]);
  assertEquals([await rig.counts(), rig.clock.pending], ["published 5", 0]);
});

Deno.test("an idle processor that is told to stop looks once more", async () => {
  const rig = new OutboxRig();
  const processor = rig.processor();
  await processor.start();
  await rig.clock.advance(500);
  const committed = rig.commit("a1");
  const stopping = processor.stop();
  await committed;
  await rig.clock.advance(0);
  await stopping;
  assertEquals([rig.broker.published, await rig.counts()], [["a1"], "published 1"]);
});

Deno.test("after a cut nothing further is begun, and nothing stays between publishing and the record of it", async () => {
  const rig = new OutboxRig();
  const gate = Promise.withResolvers<void>();
  rig.broker.gate = gate.promise;
  const processor = rig.processor(2);
  await processor.start();
  await rig.commit("a1 a2 a3 a4 a5");
  const stopping = processor.stop();
  await rig.clock.advance(0);
  processor.cut();
  gate.resolve();
  await rig.clock.advance(0);
  await stopping;
  // The batch that had been claimed ahead is put back: nobody has to wait for it.
  assertEquals([rig.broker.published, await rig.counts()], [["a1", "a2"], "pending 3, published 2"]);
  const next = rig.processor();
  await next.start();
  await rig.clock.advance(0);
  assertEquals(rig.broker.published, ["a1", "a2", "a3", "a4", "a5"]);
  await rig.close(next);
});

Deno.test("rows whose claim is answered after the cut are put back unpublished", async () => {
  const rig = new OutboxRig();
  const gate = Promise.withResolvers<void>();
  intercept(rig, {
    lease: (lease) => ({
      claim: async (limit) => {
        const rows = await lease.claim(limit);
        if (rows.length > 0) await gate.promise;
        return rows;
      },
    }),
  });
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1 b1");
  assertEquals(await rig.counts(), "processing 2");
  const stopping = processor.stop();
  processor.cut();
  gate.resolve();
  await rig.clock.advance(0);
  await stopping;
  assertEquals([rig.broker.published, await rig.counts()], [[], "pending 2"]);
});

Deno.test("a stop in the pause after a failure publishes what is due, once the broker is back", async () => {
  const rig = new OutboxRig();
  rig.broker.away = true;
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1");
  rig.broker.away = false;
  const stopping = processor.stop();
  await rig.clock.advance(0);
  await stopping;
  assertEquals([rig.broker.published, await rig.counts()], [["a1"], "published 1"]);
});

Deno.test("hints of what others go on committing do not keep a processor from stopping", async () => {
  const rig = new OutboxRig();
  let wake = () => {};
  let looks = 0;
  intercept(rig, {
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
  const processor = rig.processor();
  await processor.start();
  await processor.stop();
  assert(looks < 5, `${looks} looks`);
});

Deno.test("a backlog that somebody else stands for as well is left to him, behind what is claimed", async () => {
  const rig = new OutboxRig();
  const other = await rig.provider.outbox.lease({ broker: "default", owner: "staying" });
  const leaving = rig.processor(2);
  await leaving.start();
  await rig.clock.advance(0);
  await other.share();
  await rig.clock.advance(2_000);
  assertEquals(other.shards.length, 8);
  const gate = Promise.withResolvers<void>();
  rig.broker.gate = gate.promise;
  await rig.commit(LETTERS.map((letter) => `${letter}1`).join(" "));
  const stopping = leaving.stop();
  gate.resolve();
  await rig.clock.advance(0);
  await stopping;
  // The batch under way, and the one that had been claimed ahead.
  assertEquals([rig.broker.batches, await rig.counts()], [[2, 2], "pending 22, published 4"]);
  await other.share();
  assertEquals(other.shards.length, 16);
  await other.release();
});

Deno.test("a broker that is away does not keep a processor from stopping", async () => {
  const rig = new OutboxRig();
  rig.broker.away = true;
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1");
  await rig.clock.advance(100);
  const stopping = processor.stop();
  await rig.clock.advance(0);
  await stopping;
  assertEquals([await rig.counts(), rig.clock.pending], ["pending 1", 0]);
});
