/** The drain ends in time, whatever hangs (design 7, DRN-3). */
import { assert, assertEquals } from "@std/assert";
import { sleep } from "../../../lib/async/clock.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { drain, type DrainParts } from "../../../lib/engine/drain.ts";
import type { EngineService, Service, ServiceStage } from "../../../lib/async/service.ts";
import { logged } from "../../support/logged.ts";
import { OutboxRig as OutboxBench } from "../outbox/outbox_rig.ts";
import { eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const never = new AbortController().signal;
const hanging = () => new Promise<never>(() => {});

function service(name: string, stop: () => Promise<void> = () => Promise.resolve()): Service {
  return { name, start: () => Promise.resolve(), stop };
}

function staged(stage: ServiceStage, stop: () => Promise<void>): EngineService {
  return { ...service(stage, stop), stage };
}

function parts(clock: FakeClock, change: Partial<DrainParts>): DrainParts {
  return {
    services: [],
    monitor: { ...service("monitor"), beginShutdown: () => {} },
    listener: undefined,
    close: () => Promise.resolve([]),
    clock,
    drainTimeoutSeconds: 10,
    ...change,
  };
}

/** Moves time until `work` is done; returns what it gave and the milliseconds that it took. */
async function timed<T>(clock: FakeClock, work: Promise<T>): Promise<{ result: T; took: number }> {
  const began = clock.monotonic();
  let over = false;
  const done = work.then((result) => {
    over = true;
    return { result, took: clock.monotonic() - began };
  });
  for (let turn = 0; turn < 300 && !over; turn++) await clock.advance(100);
  assert(over, "the drain has not ended within half a minute");
  return await done;
}

Deno.test("the drain of an idle server takes no time", async () => {
  const clock = new FakeClock();
  assertEquals(await timed(clock, drain(parts(clock, {}), never)), { result: 0, took: 0 });
});

for (
  const [what, bound, change] of [
    // Half a second of these is the last batch's.
    ["an outbox processor", 2500, { services: [staged("publishing", hanging)] }],
    ["a maintenance task", 2000, { services: [staged("maintenance", hanging)] }],
    ["an adapter that closes", 2000, { close: hanging }],
  ] as const
) {
  Deno.test(`${what} that hangs holds the drain up for ${bound} ms, and cuts no handler`, async () => {
    const clock = new FakeClock();
    const { result, took } = await timed(clock, drain(parts(clock, change), never));
    assertEquals(result, 0);
    assert(took <= bound + 100, `it took ${took} ms`);
  });
}

Deno.test("a handler that ignores its signal is given up a second after the deadline, and counted", async () => {
  const rig = new SubscriptionRig();
  const { clock } = rig;
  const runner = new ScriptedRunner(hanging);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.send(eventText("a", 1));
  const { result, took } = await timed(clock, drain(parts(clock, { services: [subscription] }), never));
  assertEquals(runner.log, "a1");
  assertEquals(result, 1);
  assert(took >= 11_000 && took <= 11_500, `it took ${took} ms`);
  await rig.close();
});

Deno.test("a second signal cuts the wait for handlers short", async () => {
  const rig = new SubscriptionRig();
  const { clock } = rig;
  const subscription = rig.subscribe(new ScriptedRunner(hanging));
  await subscription.start();
  await rig.send(eventText("a", 1));
  const second = new AbortController();
  const draining = drain(parts(clock, { services: [subscription] }), second.signal);
  await clock.advance(500);
  second.abort();
  const { result, took } = await timed(clock, draining);
  assertEquals(result, 1);
  assert(took <= 1500, `it took ${took} ms`);
  await rig.close();
});

for (const fault of ["hang", "refuse"] as const) {
  Deno.test(`what is handled and cannot be acknowledged is counted, and told once (D20): ${fault}`, async () => {
    const rig = new SubscriptionRig();
    const { clock } = rig;
    const subscription = rig.subscribe(
      new ScriptedRunner(({ id }) => id === "c" ? sleep(clock, 50) : undefined),
    );
    await subscription.start();
    // Reads take acknowledgements along; these have to leave by themselves.
    let isBroken = false;
    rig.broker.fault = (operation) => isBroken && operation !== "close" ? fault : undefined;
    await rig.send(eventText("c", 1), eventText("a", 1), eventText("b", 1));
    isBroken = true;
    let result = -1;
    const records = await logged(async () => {
      await clock.advance(50);
      ({ result } = await timed(clock, drain(parts(clock, { services: [subscription] }), never)));
    });
    assertEquals(subscription.counters.handled, 3);
    assertEquals([subscription.counters.unacknowledged, subscription.counters.unreleased], [3, 0]);
    assertEquals(result, 3);
    const told = records.filter(({ rawMessage }) => rawMessage === "subscription.left_pending");
    assertEquals(told.map(({ properties }) => properties), [
      { subscription: subscription.name, unacknowledged: 3, unreleased: 0 },
    ]);
    await rig.broker.close();
  });
}

Deno.test("what was not begun and cannot be handed back is counted, what was handed back is not (D20)", async () => {
  for (const refused of [true, false]) {
    const rig = new SubscriptionRig();
    const { clock } = rig;
    const subscription = rig.subscribe(new ScriptedRunner(() => sleep(clock, 1000)));
    await subscription.start();
    await rig.send(eventText("a", 1), eventText("b", 1), eventText("c", 1));
    rig.broker.fault = (operation) => refused && operation === "release" ? "refuse" : undefined;
    const { result } = await timed(clock, drain(parts(clock, { services: [subscription] }), never));
    assertEquals([result, subscription.counters.unreleased], refused ? [2, 2] : [0, 0]);
    assertEquals(subscription.counters.unacknowledged, 0);
    await rig.broker.close();
  }
});

Deno.test("a subscription that never ends is left behind, its handlers counted as cut", async () => {
  const clock = new FakeClock();
  const stuck = { ...staged("intake", hanging), cut: () => {}, abandon: () => 3 };
  const { result, took } = await timed(clock, drain(parts(clock, { services: [stuck] }), never));
  assertEquals(result, 3);
  assert(took <= 13_500, `it took ${took} ms`);
});

Deno.test("a backlog that the flush cannot take leaves no batch between its publication and its record (G1)", async () => {
  const rig = new OutboxBench();
  const { clock, broker, provider } = rig;
  const publish = broker.publish.bind(broker);
  broker.publish = async (entries) => {
    await sleep(clock, 150);
    return await publish(entries);
  };
  const processor = rig.processor();
  await rig.commit(Array.from({ length: 500 }, (_, n) => `${"abcdefgh"[n % 8]}${n}`).join(" "));
  let atClose = "";
  const close = async () => {
    atClose = `${broker.published.length} published, ${await rig.counts()}`;
    return [];
  };
  await processor.start();
  const { took } = await timed(clock, drain(parts(clock, { services: [processor], close }), never));
  assert(took > 2000 && took <= 2500, `it took ${took} ms`);
  const { counts: { published, pending } } = await provider.outbox.stats();
  assertEquals(atClose, `${published} published, pending ${pending}, published ${published}`);
  assertEquals(new Set(broker.published).size, published);
  assert(published > 0 && pending > 0, atClose);
  assertEquals(clock.pending, 0);
});
