/** One test over every background service: the tolerances that lib/async/service.ts promises. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { HealthMonitor } from "../../../lib/health/monitor.ts";
import { engineRoutes } from "../../../lib/health/routes.ts";
import { HealthServer } from "../../../lib/health/server.ts";
import { BackgroundService, type Service } from "../../../lib/async/service.ts";
import { MarkCleaner } from "../../../lib/maintenance/mark_cleaner.ts";
import { OutboxCleaner } from "../../../lib/outbox/cleaner.ts";
import { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { EventStoreSubscription } from "../../../lib/subscription/event_store_subscription.ts";
import { MemoryEventStore } from "../../../lib/adapters/memory/event_store.ts";
import { StreamSubscription } from "../../../lib/subscription/stream_subscription.ts";
import { CATEGORY, ScriptedRunner, settings } from "../../support/subscription_rig.ts";

const options = (clock: FakeClock) => ({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
const retry = {
  max_attempts: 3,
  base_delay_seconds: 1,
  max_backoff_seconds: 60,
  backoff_multiplier: 2,
  jitter: false,
  jitter_factor: 0,
};

const services: Record<string, (clock: FakeClock) => Service> = {
  StreamSubscription: (clock) =>
    new StreamSubscription({
      runner: new ScriptedRunner(),
      category: CATEGORY,
      broker: new MemoryBroker(options(clock)),
      settings,
      consumer: "c",
      clock,
    }),
  EventStoreSubscription: (clock) =>
    new EventStoreSubscription({
      runner: new ScriptedRunner(),
      category: CATEGORY,
      store: new MemoryEventStore(options(clock)),
      locks: [new MemoryProvider(options(clock))],
      settings,
      recoveryIntervalSeconds: 30,
      gapTimeoutSeconds: 5,
      consumer: "c",
      clock,
    }),
  OutboxProcessor: (clock) =>
    new OutboxProcessor({
      provider: new MemoryProvider(options(clock)),
      broker: new MemoryBroker(options(clock)),
      owner: "me",
      clock,
      settings: { messagesPerTick: 10, maxTickIntervalSeconds: 1, retry },
    }),
  OutboxCleaner: (clock) =>
    new OutboxCleaner({
      provider: new MemoryProvider(options(clock)),
      clock,
      intervalSeconds: 1,
      publishedRetentionHours: 1,
      abandonedRetentionHours: 1,
      batchSize: 10,
    }),
  MarkCleaner: (clock) =>
    new MarkCleaner({
      provider: new MemoryProvider(options(clock)),
      clock,
      intervalSeconds: 1,
      retentionHours: 1,
      batchSize: 10,
    }),
  HealthMonitor: (clock) =>
    new HealthMonitor({
      components: [{ kind: "broker", name: "default", ping: () => Promise.resolve() }],
      clock,
    }),
  HealthServer: (clock) =>
    new HealthServer({
      host: "127.0.0.1",
      port: 0,
      routes: engineRoutes(() => true, () => ({ shuttingDown: false, components: [] })),
      clock,
    }),
};

/** Stops while time goes on, as some services wait for answers at most so long. */
async function stop(service: Service, clock: FakeClock): Promise<void> {
  const stopping = service.stop();
  for (let turn = 0; turn < 3; turn++) await clock.advance(1000);
  await stopping;
}

for (const [name, create] of Object.entries(services)) {
  Deno.test(`${name}: stop before start does nothing`, async () => {
    const clock = new FakeClock();
    await create(clock).stop();
    assertEquals(clock.pending, 0);
  });

  Deno.test(`${name}: a second start and a second stop join the first`, async () => {
    const clock = new FakeClock();
    const service = create(clock);
    await Promise.all([service.start(), service.start()]);
    await clock.advance(3000);
    const second = service.stop();
    await stop(service, clock);
    await second;
    assertEquals(clock.pending, 0);
  });

  Deno.test(`${name}: starts again after a stop, and leaves no timer behind`, async () => {
    const clock = new FakeClock();
    const service = create(clock);
    for (let round = 0; round < 2; round++) {
      await service.start();
      await clock.advance(2000);
      await stop(service, clock);
      assertEquals(clock.pending, 0);
    }
  });

  Deno.test(`${name}: stopping right after starting is clean`, async () => {
    const clock = new FakeClock();
    const service = create(clock);
    const started = service.start();
    await stop(service, clock);
    await started;
    assertEquals(clock.pending, 0);
  });
}

class Fragile extends BackgroundService {
  readonly name = "fragile";
  broken = true;
  runs = 0;
  ends = 0;
  readonly failure = Promise.withResolvers<unknown>();
  inRun: (signal: AbortSignal) => Promise<void> = (signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve()));

  protected override begin(): void {
    if (this.broken) throw new Error("not today");
  }
  protected override run(signal: AbortSignal): Promise<void> {
    this.runs++;
    return this.inRun(signal);
  }
  protected override end(): void {
    this.ends++;
  }
  protected override failed(cause: unknown): void {
    this.failure.resolve(cause);
  }
}

Deno.test("a failed start leaves the service stopped, and it may be started again", async () => {
  const service = new Fragile();
  await assertRejects(() => service.start(), Error, "not today");
  assertEquals([service.running, service.runs, service.ends], [false, 0, 0]);
  await service.stop();
  service.broken = false;
  await service.start();
  assert(service.running);
  await service.stop();
  assertEquals([service.running, service.runs, service.ends], [false, 1, 1]);
});

Deno.test("a start right after a failed one is a new attempt", async () => {
  const service = new Fragile();
  // In the very turn that tells of the failure: an await in between would be too late.
  await service.start().catch(() => {
    service.broken = false;
    return service.start();
  });
  assert(service.running);
  await service.stop();
});

Deno.test("a run that throws by itself is reported, once, and its end is run", async () => {
  const service = new Fragile();
  service.broken = false;
  service.inRun = () => Promise.reject(new Error("defect"));
  await service.start();
  assertEquals((await service.failure.promise as Error).message, "defect");
  await service.stop();
  assertEquals(service.ends, 1);
});

Deno.test("a run that throws because it was stopped is not a failure", async () => {
  const service = new Fragile();
  service.broken = false;
  service.inRun = (signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  await service.start();
  await service.stop();
  service.failure.resolve("nothing");
  assertEquals(await service.failure.promise, "nothing");
});
