import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { engineReadiness } from "../../../lib/health/bodies.ts";
import { HealthMonitor } from "../../../lib/health/monitor.ts";
import type { ComponentState } from "../../../lib/health/types.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { logged } from "../../support/logged.ts";
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

/** A monitor of one broker that answers every ping, running. */
async function watched(): Promise<{
  readonly clock: FakeClock;
  readonly work: WorkHealth;
  readonly monitor: HealthMonitor;
  readonly state: () => ComponentState | undefined;
}> {
  const clock = new FakeClock();
  const work = new WorkHealth(clock);
  const monitor = new HealthMonitor({ components: [new FakeComponent("broker")], clock, work });
  await monitor.start();
  await clock.advance(0);
  return { clock, work, monitor, state: () => monitor.snapshot().components[0] };
}

Deno.test("work that fails for longer than five seconds makes its component unready, whatever pings say (HLT-2)", async () => {
  const { clock, work, monitor, state } = await watched();
  const reporter = work.reporter("broker", "default");
  reporter.unavailable("Redis is full.");
  await clock.advance(3_000);
  // Told again at every try, but it has failed since the first.
  reporter.unavailable("Redis is still full.");
  await clock.advance(2_000);
  assert(ready(monitor));
  await clock.advance(1);
  assertEquals(ready(monitor), false);
  for (let attempt = 0; attempt < 12; attempt++) {
    reporter.unavailable("Redis is still full.");
    await clock.advance(5_000);
  }
  assertEquals(state(), {
    kind: "broker",
    name: "default",
    status: "unavailable",
    error: "Redis is still full.",
  });
  reporter.ok();
  assert(ready(monitor));
  await monitor.stop();
});

Deno.test("a failure that was not seen again for half a minute is about work that is no more", async () => {
  const { clock, work, monitor } = await watched();
  const reporter = work.reporter("broker", "default");
  reporter.unavailable("Redis is full.");
  await clock.advance(30_000);
  assertEquals(ready(monitor), false);
  await clock.advance(1);
  assert(ready(monitor));
  // One that comes later is a new one.
  reporter.unavailable("Redis is full again.");
  await clock.advance(5_000);
  assert(ready(monitor));
  await monitor.stop();
});

Deno.test("work that goes well begins the five seconds anew", async () => {
  const { clock, work, monitor } = await watched();
  const reporter = work.reporter("broker", "default");
  for (let outage = 0; outage < 3; outage++) {
    reporter.unavailable("It blinked.");
    await clock.advance(4_000);
    reporter.ok();
  }
  reporter.unavailable("It blinked.");
  await clock.advance(4_000);
  assert(ready(monitor));
  await monitor.stop();
});

Deno.test("one service that works does not hide another that does not, and the longest failure is told", async () => {
  const { clock, work, monitor, state } = await watched();
  const [reads, publishes, other] = [0, 1, 2].map(() => work.reporter("broker", "default"));
  publishes?.unavailable("XADD is not permitted.");
  await clock.advance(1_000);
  reads?.unavailable("Reads time out.");
  other?.ok();
  await clock.advance(6_000);
  assertEquals(state()?.error, "XADD is not permitted.");
  publishes?.ok();
  assertEquals(state()?.error, "Reads time out.");
  reads?.ok();
  assertEquals(state()?.status, "ok");
  await monitor.stop();
});

Deno.test("work with one component says nothing of the others", async () => {
  const { clock, work, monitor } = await watched();
  work.reporter("broker", "partner").unavailable("Away.");
  work.reporter("cache", "default").unavailable("Away.");
  await clock.advance(10_000);
  assert(ready(monitor));
  await monitor.stop();
});

Deno.test("work that goes well does not stand for a ping", async () => {
  const { clock, work, monitor } = await watched();
  await monitor.stop();
  const broken = new FakeComponent("broker");
  broken.mode = "fails";
  const second = new HealthMonitor({ components: [broken], clock, work });
  work.reporter("broker", "default").ok();
  await second.check();
  assertEquals(second.snapshot().components[0]?.error, "connection refused");
});

Deno.test("transitions that the work brings about are logged, once", async () => {
  const { clock, work, monitor } = await watched();
  const reporter = work.reporter("broker", "default");
  const records = await logged(async () => {
    reporter.unavailable("Redis is full.");
    await clock.advance(20_000);
    reporter.ok();
    await clock.advance(20_000);
  });
  assertEquals(
    records.filter(({ rawMessage }) => String(rawMessage).startsWith("health."))
      .map(({ rawMessage, properties }) => [rawMessage, properties]),
    [
      ["health.component_unavailable", { kind: "broker", name: "default", error: "Redis is full." }],
      ["health.component_available", { kind: "broker", name: "default" }],
    ],
  );
  await monitor.stop();
});

Deno.test("the snapshot is plain JSON, faults and all", async () => {
  const bad = new FakeComponent("broker");
  bad.mode = "fails";
  const monitor = new HealthMonitor({
    components: [new FakeComponent(), bad],
    subscriptions: { total: () => 2, collect: () => Promise.resolve([]) },
    clock: new FakeClock(),
  });
  await monitor.check();
  const snapshot = monitor.snapshot();
  assertEquals(JSON.parse(JSON.stringify(snapshot)), snapshot);
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

Deno.test("what was unavailable is so until the work goes well too: it does not come and go", async () => {
  const { clock, work, monitor, state } = await watched();
  const [reads, publishes] = [work.reporter("broker", "default"), work.reporter("broker", "default")];
  reads.unavailable("It is a replica.");
  await clock.advance(4_000);
  publishes.unavailable("It takes no writes.");
  await clock.advance(2_000);
  assertEquals(state()?.error, "It is a replica.");
  reads.ok();
  assertEquals(state()?.error, "It takes no writes.");
  publishes.ok();
  assertEquals(state()?.status, "ok");
  publishes.unavailable("It takes no writes.");
  await clock.advance(4_000);
  assertEquals(state()?.status, "ok");
  await monitor.stop();
});

Deno.test("what a probe is told is logged, also where it is over before the next look", async () => {
  const { clock, work, monitor } = await watched();
  const reporter = work.reporter("broker", "default");
  const records = await logged(async () => {
    reporter.unavailable("Redis is full.");
    await clock.advance(5_001);
    assertEquals(ready(monitor), false);
    reporter.ok();
    assert(ready(monitor));
    await clock.advance(5_000);
  });
  assertEquals(records.map(({ rawMessage }) => rawMessage), [
    "health.component_unavailable",
    "health.component_available",
  ]);
  await monitor.stop();
});
