import { assertEquals } from "@std/assert";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { LockWatch } from "../../../lib/health/lock_watch.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const REASON = "Statements wait for a lock that session 7 holds.";

Deno.test("statements that wait for somebody else's lock make the database unready within ten seconds, until they go on", async () => {
  const clock = new FakeClock();
  const health = new WorkHealth(clock);
  const provider = new MemoryProvider({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  let held: () => Promise<string | undefined> = () => Promise.resolve(undefined);
  provider.heldUp = () => held();
  const watch = new LockWatch({ provider, clock, work: health.reporter("provider", "default") });
  const fault = () => health.fault("provider", "default");
  await watch.start();
  await clock.advance(10_000);
  assertEquals(fault(), undefined);
  held = () => Promise.resolve(REASON);
  await clock.advance(4_000);
  assertEquals(fault(), undefined);
  await clock.advance(4_000);
  assertEquals(fault(), REASON);
  // Who cannot be asked says nothing, and holds up no stop.
  held = () => Promise.reject(new Error("It is away."));
  await clock.advance(4_000);
  assertEquals(fault(), REASON);
  held = () => Promise.resolve(undefined);
  await clock.advance(2_000);
  assertEquals(fault(), undefined);
  held = () => new Promise(() => {});
  await clock.advance(2_000);
  await watch.stop();
  assertEquals(clock.pending, 0);
  await provider.close();
});
