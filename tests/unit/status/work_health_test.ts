/**
 * Services tell how their work goes with what they need, so that readiness need not rely on pings (HLT-2).
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { StreamSubscription } from "../../../lib/subscription/stream_subscription.ts";
import { CATEGORY, ScriptedRunner, settings, SubscriptionRig } from "../../support/subscription_rig.ts";
import { intercept, OutboxRig as OutboxBench, retry } from "../outbox/outbox_rig.ts";

function publishing(rig: OutboxBench) {
  const work = new WorkHealth(rig.clock);
  const processor = new OutboxProcessor({
    provider: rig.provider,
    broker: rig.broker,
    owner: "host-1",
    clock: rig.clock,
    random: () => 0.5,
    work: { provider: work.reporter("provider", "default"), broker: work.reporter("broker", "default") },
    settings: { messagesPerTick: 10, maxTickIntervalSeconds: 1, retry },
  });
  const faults = () => [work.fault("provider", "default"), work.fault("broker", "default")];
  return { processor, faults };
}

Deno.test("a processor whose broker takes nothing tells it of the broker, until it publishes again", async () => {
  const rig = new OutboxBench();
  const { processor, faults } = publishing(rig);
  rig.broker.away = true;
  await processor.start();
  await rig.clock.advance(10_000);
  assertEquals(faults(), [undefined, undefined], "without rows there is no work that fails");
  await rig.commit("a1");
  await rig.clock.advance(10_000);
  assertEquals(faults(), [undefined, "Broker 'default' does not answer."]);
  rig.broker.away = false;
  await rig.clock.advance(6_000);
  assertEquals(faults(), [undefined, undefined]);
  await rig.close(processor);
});

Deno.test("a processor whose database fails tells it of the database", async () => {
  const rig = new OutboxBench();
  let broken = true;
  const error = new ProviderUnavailableError("Database 'default' is a standby.");
  intercept(rig, {
    lease: (lease) => ({ claim: (limit) => broken ? Promise.reject(error) : lease.claim(limit) }),
  });
  const { processor, faults } = publishing(rig);
  await processor.start();
  await rig.clock.advance(10_000);
  assertEquals(faults(), [error.message, undefined]);
  broken = false;
  await rig.clock.advance(6_000);
  assertEquals(faults(), [undefined, undefined]);
  await rig.close(processor);
});

Deno.test("a database that is back is told so, also while the broker is away", async () => {
  const rig = new OutboxBench();
  let broken = true;
  const error = new ProviderUnavailableError("Database 'default' is a standby.");
  intercept(rig, {
    lease: (lease) => ({ claim: (limit) => broken ? Promise.reject(error) : lease.claim(limit) }),
  });
  const { processor, faults } = publishing(rig);
  rig.broker.away = true;
  await rig.commit("a1");
  await processor.start();
  await rig.clock.advance(10_000);
  broken = false;
  await rig.clock.advance(12_000);
  assertEquals(faults(), [undefined, "Broker 'default' does not answer."]);
  rig.broker.away = false;
  await rig.close(processor);
});

Deno.test("what is not answered for longer than five seconds shows, until it is", async () => {
  const clock = new FakeClock();
  const work = new WorkHealth(clock);
  const asking = work.asking("provider", "default");
  const answer = Promise.withResolvers<number>();
  const asked = asking(answer.promise);
  await clock.advance(5_000);
  await asking(Promise.resolve(1));
  assertEquals(work.fault("provider", "default"), undefined);
  await clock.advance(2_000);
  assertStringIncludes(
    work.fault("provider", "default") ?? "",
    "has not answered what was asked of it for 7 s",
  );
  assertEquals(work.fault("provider", "other"), undefined);
  answer.resolve(7);
  assertEquals(await asked, 7);
  assertEquals(work.fault("provider", "default"), undefined);
  await assertRejects(() => asking(Promise.reject(new Error("no"))), Error, "no");
  await clock.advance(10_000);
  assertEquals(work.fault("provider", "default"), undefined);
});

Deno.test("a subscription that cannot read tells it of the broker, until a read succeeds, however long one may wait", async () => {
  const rig = new SubscriptionRig();
  const work = new WorkHealth(rig.clock);
  let refused = true;
  // As a full Redis does it: whatever writes is refused, and pings are answered.
  rig.broker.fault = (operation) => refused && operation === "ensure" ? "refuse" : undefined;
  const subscription = new StreamSubscription({
    runner: new ScriptedRunner(),
    category: CATEGORY,
    broker: rig.broker,
    settings: { ...settings, blockingTimeoutMs: 60_000 },
    consumer: "OrderEventHandler-host-1-000001",
    clock: rig.clock,
    random: () => 0.5,
    work: work.reporter("broker", "default"),
  });
  await subscription.start();
  await rig.clock.advance(10_000);
  assertEquals(work.fault("broker", "default"), "Broker 'default' does not answer.");
  refused = false;
  await rig.clock.advance(6_000);
  assertEquals(work.fault("broker", "default"), undefined);
  await rig.close(subscription);
});
