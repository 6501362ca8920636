/** Until when the handlers of a process wait for messages that it publishes itself (G5, F21). */
import { assertEquals } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { Bench, intercept } from "./outbox_rig.ts";

Deno.test("a message may be handled here once its row is marked, not when it is published", async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  intercept(bench, {
    lease: (lease) => ({ settle: (outcomes) => gate.promise.then(() => lease.settle(outcomes)) }),
  });
  const processor = bench.processor();
  await processor.start();
  assertEquals(processor.settled("a1"), undefined);
  await bench.commit("a1");
  assertEquals(bench.broker.published, ["a1"]);
  let told = false;
  void processor.settled("a1")?.then(() => told = true);
  await bench.clock.advance(0);
  assertEquals(told, false);
  gate.resolve();
  await bench.clock.advance(0);
  assertEquals([told, processor.settled("a1"), await bench.counts()], [true, undefined, "published 1"]);
  await bench.close(processor);
});

for (const what of ["mark", "publish"] as const) {
  Deno.test(`a ${what} that fails keeps no message from being handled`, async () => {
    const bench = new Bench();
    const error = new ProviderUnavailableError("Database 'default' does not answer.");
    bench.broker.away = what === "publish";
    if (what === "mark") intercept(bench, { lease: () => ({ settle: () => Promise.reject(error) }) });
    const processor = bench.processor();
    await processor.start();
    await bench.commit("a1");
    await bench.clock.advance(0);
    assertEquals(processor.settled("a1"), undefined);
    await bench.close(processor);
  });
}
