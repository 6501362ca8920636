import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/async/clock.ts";
import { engineReadiness } from "../../../lib/health/bodies.ts";
import { HealthMonitor } from "../../../lib/health/monitor.ts";
import { FakeComponent } from "./support.ts";

function ready(monitor: HealthMonitor): boolean {
  return engineReadiness(monitor.snapshot()).status === 200;
}

Deno.test("readiness is false within ten seconds of a hang, and true again after it, twice (HLT-2)", async () => {
  const clock = new FakeClock();
  const [provider, broker] = [new FakeComponent("provider"), new FakeComponent("broker")];
  const monitor = new HealthMonitor({ components: [provider, broker], clock });
  await monitor.start();
  await clock.advance(0);
  assert(ready(monitor));
  for (let outage = 0; outage < 2; outage++) {
    broker.mode = "ignores its signal";
    await clock.advance(10_000);
    assertEquals(ready(monitor), false);
    assertEquals(
      monitor.snapshot().components.map(({ kind, status }) => [kind, status]),
      [["provider", "ok"], ["broker", "unavailable"]],
    );
    broker.mode = "ok";
    await clock.advance(4_000);
    assert(ready(monitor));
  }
  await monitor.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a server started before its database becomes ready by itself (HLT-3)", async () => {
  const clock = new FakeClock();
  const provider = new FakeComponent();
  provider.mode = "fails";
  const monitor = new HealthMonitor({ components: [provider], clock });
  await monitor.start();
  await clock.advance(60_000);
  assertEquals(ready(monitor), false);
  provider.mode = "ok";
  await clock.advance(2_000);
  assert(ready(monitor));
  await monitor.stop();
});

Deno.test("pings come every two seconds, also while another component hangs", async () => {
  const clock = new FakeClock();
  const [good, bad] = [new FakeComponent("provider"), new FakeComponent("cache")];
  bad.mode = "ignores its signal";
  const monitor = new HealthMonitor({ components: [good, bad], clock });
  await monitor.start();
  await clock.advance(19_999);
  assertEquals(good.pings, 10);
  await monitor.stop();
});

Deno.test("a hanging collection delays neither pings nor the snapshot (S29)", async () => {
  const clock = new FakeClock();
  const provider = new FakeComponent();
  const monitor = new HealthMonitor({
    components: [provider],
    subscriptions: { total: () => 2, collect: () => new Promise(() => {}) },
    clock,
  });
  await monitor.start();
  await clock.advance(8_000);
  assertEquals(provider.pings, 5);
  assertEquals(monitor.snapshot().subscriptions, { total: 2, collection_pending: true, details: [] });
  assert(ready(monitor));
  await monitor.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("check answers what is unavailable and why", async () => {
  const [good, bad] = [new FakeComponent("provider"), new FakeComponent("broker", "events")];
  bad.mode = "fails";
  const monitor = new HealthMonitor({ components: [good, bad], clock: new FakeClock() });
  const down = await monitor.check();
  assertEquals(down.map(({ kind, name, error }) => [kind, name, error?.message]), [
    ["broker", "events", "connection refused"],
  ]);
});

Deno.test("a report finds its component by kind and name and ignores others", async () => {
  const provider = new FakeComponent();
  const monitor = new HealthMonitor({ components: [provider], clock: new FakeClock() });
  monitor.report({ kind: "broker", name: "default" }, true);
  assertEquals(ready(monitor), false);
  monitor.report({ kind: "provider", name: "default" }, true);
  assert(ready(monitor));
  provider.mode = "fails";
  monitor.report(provider, false);
  await monitor.check();
  assertEquals(ready(monitor), false);
});

Deno.test("beginShutdown turns readiness off at once and for good", async () => {
  const monitor = new HealthMonitor({ components: [new FakeComponent()], clock: new FakeClock() });
  await monitor.check();
  assert(ready(monitor));
  monitor.beginShutdown();
  assertEquals(engineReadiness(monitor.snapshot()), {
    status: 503,
    body: { status: "unavailable", checks: { shutting_down: true } },
  });
});
