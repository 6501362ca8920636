/** Several processors on one outbox: everybody gets a share, and no stream is in two hands (delivery 9). */
import { assert, assertEquals } from "@std/assert";
import type { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { intercept, OutboxRig } from "./outbox_rig.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

/** Rows on 26 streams keep coming, every 10 ms; returns how many each processor has published meanwhile. */
async function load(rig: OutboxRig, processors: readonly OutboxProcessor[], from: number, rounds: number) {
  const before = processors.map(({ counters }) => counters.published);
  for (let round = from; round < from + rounds; round++) {
    await rig.commit(LETTERS.map((letter) => `${letter}${round}`).join(" "));
    await rig.clock.advance(10);
  }
  return processors.map(({ counters }, index) => counters.published - (before[index] ?? 0));
}

function assertAllInOrder(rig: OutboxRig, rounds: number): void {
  for (const letter of LETTERS) {
    assertEquals(rig.ofStream(letter), Array.from({ length: rounds }, (_, round) => `${letter}${round}`));
  }
}

Deno.test("a processor that starts later has its share of a steady load within a second", async () => {
  const rig = new OutboxRig();
  const [first, second] = [rig.processor(), rig.processor()];
  await first.start();
  assertEquals(await load(rig, [first], 0, 20), [26 * 20]);
  await second.start();
  await load(rig, [first, second], 20, 100);
  const shares = await load(rig, [first, second], 120, 20);
  assertEquals(shares.reduce((sum, share) => sum + share), 26 * 20);
  assert(Math.min(...shares) > 26 * 20 / 4, `${shares}`);
  await rig.close(first, second);
  assertAllInOrder(rig, 140);
});

Deno.test("what a processor held is published by the others after it has stopped", async () => {
  const rig = new OutboxRig();
  const [first, second] = [rig.processor(), rig.processor()];
  await first.start();
  await second.start();
  await load(rig, [first, second], 0, 100);
  assert(second.counters.published > 0);
  const stopping = first.stop();
  await rig.clock.advance(0);
  await stopping;
  await load(rig, [second], 100, 50);
  await rig.clock.advance(1000);
  assertAllInOrder(rig, 150);
  await rig.close(second);
});

Deno.test("a processor that runs keeps its shards from batch to batch, and lets them go when it stops", async () => {
  const rig = new OutboxRig();
  let leases = 0;
  intercept(rig, {
    lease: () => {
      leases++;
      return {};
    },
  });
  const processor = rig.processor();
  await processor.start();
  await load(rig, [processor], 0, 10);
  await rig.clock.advance(5000);
  await load(rig, [processor], 10, 10);
  assertEquals([leases, processor.counters.published], [1, 26 * 20]);
  await rig.close(processor);
  const free = await rig.provider.outbox.lease({ broker: "default", owner: "other" });
  assertEquals(free.shards.length, 16);
});
