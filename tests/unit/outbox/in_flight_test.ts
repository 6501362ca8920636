/** Until when the handlers of a process wait for messages that it publishes itself (G5, F21). */
import { assertEquals } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { intercept, OutboxRig } from "./outbox_rig.ts";

Deno.test("a message may be handled here once its row is marked, not when it is published", async () => {
  const rig = new OutboxRig();
  const gate = Promise.withResolvers<void>();
  intercept(rig, {
    lease: (lease) => ({ settle: (outcomes) => gate.promise.then(() => lease.settle(outcomes)) }),
  });
  const processor = rig.processor();
  await processor.start();
  assertEquals(processor.settled("a1"), undefined);
  await rig.commit("a1");
  assertEquals(rig.broker.published, ["a1"]);
  let told = false;
  void processor.settled("a1")?.then(() => told = true);
  await rig.clock.advance(0);
  assertEquals(told, false);
  gate.resolve();
  await rig.clock.advance(0);
  assertEquals([told, processor.settled("a1"), await rig.counts()], [true, undefined, "published 1"]);
  await rig.close(processor);
});

for (const what of ["mark", "publish"] as const) {
  Deno.test(`a ${what} that fails keeps no message from being handled`, async () => {
    const rig = new OutboxRig();
    const error = new ProviderUnavailableError("Database 'default' does not answer.");
    rig.broker.away = what === "publish";
    if (what === "mark") intercept(rig, { lease: () => ({ settle: () => Promise.reject(error) }) });
    const processor = rig.processor();
    await processor.start();
    await rig.commit("a1");
    await rig.clock.advance(0);
    assertEquals(processor.settled("a1"), undefined);
    await rig.close(processor);
  });
}
