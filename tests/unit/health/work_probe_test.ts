import { assertEquals } from "@std/assert";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { PoolTimeoutError, RefusedError } from "../../../lib/errors.ts";
import { WorkProbe } from "../../../lib/health/work_probe.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const REASON = "Database 'default' refused, using the server's own tables.";

Deno.test("a database that refuses what the work would ask of it is unready within ten seconds, and ready again after it", async () => {
  const clock = new FakeClock();
  const health = new WorkHealth(clock);
  const provider = new MemoryProvider({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  let verified: () => Promise<void> = () => Promise.resolve();
  provider.verify = () => verified();
  const probe = new WorkProbe({ provider, clock, work: health.reporter("provider", "default") });
  const fault = () => health.fault("provider", "default");
  await probe.start();
  await clock.advance(10_000);
  assertEquals(fault(), undefined);
  verified = () => Promise.reject(new RefusedError(REASON));
  await clock.advance(9_000);
  assertEquals(fault(), REASON);
  verified = () => Promise.resolve();
  await clock.advance(2_000);
  assertEquals(fault(), undefined);
  // Requests may have every connection for as long as they like.
  verified = () => Promise.reject(new PoolTimeoutError("All of them are in use."));
  await clock.advance(30_000);
  assertEquals(fault(), undefined);
  verified = () => new Promise(() => {});
  await clock.advance(2_000);
  await probe.stop();
  assertEquals(clock.pending, 0);
  await provider.close();
});
