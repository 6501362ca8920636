/** A message that is retried all the time is no flood of the log (issue 16, 5). */
import { assertEquals } from "@std/assert";
import { logged } from "../../support/logged.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

Deno.test("a message retried a thousand times a minute is told once, then once per interval with its repetitions", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new RangeError("no");
  });
  const subscription = rig.subscribe(runner, {
    ...{
      maxRetries: 1_000_000,
      maxDeliveries: 2_000_000,
      retryDelaySeconds: 0.06,
      retryMaxDelaySeconds: 0.06,
    },
  });
  const records = await logged(async () => {
    await subscription.start();
    await rig.publish("a1");
    await rig.clock.advance(60_000);
    await rig.close(subscription);
  });
  const told = records.filter(({ rawMessage }) => rawMessage === "subscription.retry_scheduled");
  const runs = runner.calls.length;
  assertEquals(
    [told.length > 3, told.length < 10, runs > 500],
    [true, true, true],
    `${told.length} of ${runs}`,
  );
  const repeated = told.reduce((sum, { properties }) => sum + Number(properties["repeated"] ?? 1), 0);
  assertEquals(repeated, runs);
  const [first, again] = told;
  const { handler, message_id, error, repeated: none } = first?.properties ?? {};
  assertEquals([handler, typeof message_id, String(error).startsWith("RangeError"), none], [
    "OrderEventHandler",
    "string",
    true,
    undefined,
  ]);
  assertEquals(again?.properties["message_id"], message_id);
  assertEquals(rig.clock.pending, 0);
});

Deno.test("of very many messages that fail the first are told, and how many more there were", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(() => {
    throw new RangeError("no");
  });
  const subscription = rig.subscribe(runner, {
    messagesPerTick: 100,
    concurrency: 100,
    retryDelaySeconds: 5,
  });
  const records = await logged(async () => {
    await subscription.start();
    await rig.publish(
      Array.from({ length: 26 }, (_, n) => `${String.fromCharCode(97 + n)}1`).join(" "),
    );
    await rig.clock.advance(1_000);
    await rig.close(subscription);
  });
  const named = (event: string) => records.filter(({ rawMessage }) => rawMessage === event);
  assertEquals(named("subscription.retry_scheduled").length, 20);
  assertEquals(
    named("subscription.retry_scheduled_more").map(({ properties }) => properties["more"]),
    [6],
  );
});
