/** A process that stood still with rows of the outbox claimed (D2, D19). */
import { assertEquals } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { Bench, intercept } from "./outbox_rig.ts";

Deno.test("a process that stood still with rows claimed leaves them to whoever holds the shards now", async () => {
  const bench = new Bench();
  let frozen = false;
  intercept(bench, {
    lease: (lease) => ({
      claim: async (limit) => {
        const rows = await lease.claim(limit);
        if (rows.length > 0 && bench.broker.batches.length === 0) {
          frozen = true;
          // Meanwhile the shards were given to another, who has published these rows and later ones.
          bench.broker.batches.push(0);
        }
        return rows;
      },
      assertHeld: () => {
        if (!frozen) return;
        frozen = false;
        throw new ProviderUnavailableError(
          "This process stood still for 60 s with rows of the outbox claimed.",
        );
      },
    }),
  });
  const processor = bench.processor();
  await processor.start();
  await bench.commit("a1");
  assertEquals([bench.broker.batches, bench.broker.published], [[0], []]);
  await bench.clock.advance(6_000);
  assertEquals([bench.broker.batches, bench.broker.published], [[0, 1], ["a1"]]);
  await bench.close(processor);
});
