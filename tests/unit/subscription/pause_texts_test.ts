/** D12 and D16 together: what waits without its text is tried during a pause, and goes on after it. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { ProviderUnavailableError } from "../../../lib/errors.ts";
import { blame } from "../../../lib/domain/backends.ts";
import { SHARED_PAUSE_SIZE, TextShare } from "../../../lib/subscription/text_share.ts";
import { eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const PROVIDER = { kind: "provider", name: "x" } as const;

function unavailable(): Error {
  return blame(new ProviderUnavailableError("It does not answer."), PROVIDER);
}

/** Every text that is brought by its id. */
function brought(rig: SubscriptionRig): string[] {
  const ids: string[] = [];
  const entries = rig.broker.entries.bind(rig.broker);
  rig.broker.entries = async (stream, wanted) => {
    const found = await entries(stream, wanted);
    ids.push(...found.map(({ id }) => id));
    return found;
  };
  return ids;
}

Deno.test("a pause tries what waits without its text, brings it for that, and costs it no attempt", async () => {
  const rig = new SubscriptionRig();
  const fetched = brought(rig);
  let away = false;
  const failedOnce = new Set<string>();
  const runner = new ScriptedRunner(({ id }) => {
    if (away) throw unavailable();
    if (id.startsWith("b") && !failedOnce.has(id)) {
      failedOnce.add(id);
      throw new Error("the first time it fails");
    }
  });
  const subscription = rig.subscribe(runner, { maxRetries: 2, retryDelaySeconds: 60 });
  await subscription.start();
  await rig.send(...Array.from({ length: 300 }, (_, n) => eventText(`b${n}`, n)));
  await rig.clock.advance(1_000);
  assertEquals([failedOnce.size, fetched.length], [300, 0]);
  away = true;
  await rig.send(...Array.from({ length: 10 }, (_, n) => eventText(`k${n}`, n)));
  await rig.clock.advance(300_000);
  // One at a time: what is tried is brought, and what fails for its backend keeps its text.
  assertGreater(fetched.length, 0);
  assertEquals(subscription.counters.handled, 0);
  away = false;
  await rig.clock.advance(60_000);
  const { handled, deadLettered, lost } = subscription.counters;
  assertEquals([handled, deadLettered, lost], [310, 0, 0]);
  assertEquals(await rig.pending(runner), []);
  await rig.close(subscription);
});

Deno.test("a hot key goes on after a pause in its order, whatever of it waited without its text", async () => {
  const rig = new SubscriptionRig();
  const fetched = brought(rig);
  let away = false;
  const slow = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ id, n }) => {
    if (id === "h" && n === 0) return slow.promise;
    return away ? Promise.reject(unavailable()) : undefined;
  });
  const subscription = rig.subscribe(runner, { concurrency: 3 });
  await subscription.start();
  await rig.send(...Array.from({ length: 600 }, (_, n) => eventText("h", n)));
  await rig.clock.advance(1_000);
  away = true;
  await rig.send(...Array.from({ length: 10 }, (_, n) => eventText(`k${n}`, n)));
  await rig.clock.advance(60_000);
  slow.resolve();
  await rig.clock.advance(60_000);
  assert(subscription.counters.handled <= 1);
  const before = runner.calls.length;
  away = false;
  await rig.clock.advance(60_000);
  assertEquals([subscription.counters.handled, subscription.counters.deadLettered], [610, 0]);
  const order = runner.calls.slice(before).filter(({ id }) => id === "h").map(({ n }) => n);
  assertEquals(order, Array.from({ length: order.length }, (_, at) => 600 - order.length + at));
  assertGreater(fetched.length, 0);
  await rig.close(subscription);
});

Deno.test("a message that backs off keeps nobody from reading while others hold all that may be held", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "h") throw new Error("no");
  });
  const share = new TextShare();
  const subscription = rig.subscribe(runner, { share, retryDelaySeconds: 600, retryMaxDelaySeconds: 600 });
  await subscription.start();
  await rig.publish("h1 h2");
  await rig.clock.advance(1_000);
  // As subscriptions do whose backend is away for hours.
  share.change(SHARED_PAUSE_SIZE);
  for (const event of ["a1", "b1", "c1"]) {
    await rig.publish(event);
    await rig.clock.advance(5_000);
  }
  assertEquals(subscription.counters.handled, 3);
  await rig.close(subscription);
});
