import { assertEquals, assertStringIncludes } from "@std/assert";
import type { OutboxWaiting } from "../../../lib/adapters/ports.ts";
import { UnpublishedWatch } from "../../../lib/outbox/unpublished_watch.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { OutboxRig } from "./outbox_rig.ts";

class WatchRig extends OutboxRig implements AsyncDisposable {
  readonly health = new WorkHealth(this.clock);
  readonly watch = new UnpublishedWatch({
    ...{ provider: this.provider, broker: this.broker, clock: this.clock },
    work: this.health.watchReporter("provider", "default"),
    publishing: this.health.watchReporter("broker", "default"),
  });

  /** What the store is to say from now on. */
  due(next: () => Promise<OutboxWaiting | undefined>): void {
    this.provider.outbox.oldestDue = next;
  }

  fault(): string | undefined {
    return this.health.fault("provider", "default");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch.stop();
    assertEquals(this.clock.pending, 0);
    await this.broker.close();
    await this.provider.close();
  }
}

Deno.test("rows that are due and that nobody publishes make the database unready within ten seconds, until somebody does", async () => {
  await using rig = new WatchRig();
  await rig.watch.start();
  await rig.commit("a1");
  await rig.clock.advance(4_000);
  assertEquals(rig.fault(), undefined);
  await rig.clock.advance(6_000);
  assertStringIncludes(rig.fault() ?? "", "no server publishes it");
  const processor = rig.processor();
  await processor.start();
  await rig.clock.advance(2_000);
  assertEquals(rig.fault(), undefined);
  await processor.stop();
});

Deno.test("a backlog that is worked off, however long, is nobody's fault", async () => {
  await using rig = new WatchRig();
  let seq = 0;
  rig.due(() => Promise.resolve({ id: String(++seq), waitedMs: 600_000 }));
  await rig.watch.start();
  await rig.clock.advance(60_000);
  assertEquals(rig.fault(), undefined);
});

Deno.test("a database that does not answer is told of by others, and holds up no stop", async () => {
  await using rig = new WatchRig();
  rig.due(() => Promise.reject(new Error("It is away.")));
  await rig.watch.start();
  await rig.clock.advance(60_000);
  rig.due(() => new Promise(() => {}));
  await rig.clock.advance(10_000);
  assertEquals(rig.fault(), undefined);
  await rig.watch.stop();
});

Deno.test("what the broker, or the database, refuses is told by whoever works with it, and by nobody else", async () => {
  await using rig = new WatchRig();
  const [broker, provider] = [
    rig.health.reporter("broker", "default"),
    rig.health.reporter("provider", "default"),
  ];
  await rig.watch.start();
  await rig.commit("a1");
  for (let second = 0; second < 20; second++) {
    broker.unavailable("NOREPLICAS");
    await rig.clock.advance(1_000);
  }
  assertEquals([rig.health.fault("broker", "default"), rig.fault()], ["NOREPLICAS", undefined]);
  broker.ok();
  for (let second = 0; second < 20; second++) {
    provider.unavailable("It is a standby.");
    await rig.clock.advance(1_000);
  }
  assertEquals(rig.fault(), "It is a standby.");
  // Its reason is gone, and the row is not: readiness does not come and go.
  provider.ok();
  assertStringIncludes(rig.fault() ?? "", "no server publishes it");
  await rig.clock.advance(12_000);
  assertStringIncludes(rig.fault() ?? "", "no server publishes it");
});

Deno.test("an answer that is not new says nothing, however often it is given", async () => {
  await using rig = new WatchRig();
  let ageMs = 0;
  rig.due(() => Promise.resolve({ id: "1", waitedMs: 14_000, ...(ageMs > 0 && { ageMs }) }));
  await rig.watch.start();
  await rig.clock.advance(2_000);
  ageMs = 1;
  await rig.clock.advance(60_000);
  assertEquals(rig.fault(), undefined);
});
