/** A process that stood still with rows of the outbox claimed (D2, D19). */
import { assertEquals } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { intercept, OutboxRig } from "./outbox_rig.ts";

Deno.test("a process that stood still with rows claimed leaves them to whoever holds the shards now", async () => {
  const rig = new OutboxRig();
  let frozen = false;
  intercept(rig, {
    lease: (lease) => ({
      claim: async (limit) => {
        const rows = await lease.claim(limit);
        if (rows.length > 0 && rig.broker.batches.length === 0) {
          frozen = true;
          // Meanwhile the shards were given to another, who has published these rows and later ones.
          rig.broker.batches.push(0);
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
  const processor = rig.processor();
  await processor.start();
  await rig.commit("a1");
  assertEquals([rig.broker.batches, rig.broker.published], [[0], []]);
  await rig.clock.advance(6_000);
  assertEquals([rig.broker.batches, rig.broker.published], [[0, 1], ["a1"]]);
  await rig.close(processor);
});
