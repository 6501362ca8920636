/** Commands and their deadlines on their way through a subscription (S66). */
import { assertEquals, assertRejects } from "@std/assert";
import { IncorrectUsageError, on } from "../../../lib/mod.ts";
import { canonicalJson } from "../../../lib/message/canonical.ts";
import { encodeMessage } from "../../support/encode_message.ts";
import { SubscriptionRig } from "../../support/subscription_rig.ts";
import { outbox, runnerOf, shop, started } from "../domain/fixture.ts";

Deno.test("S66: a command whose timeoutMs is over is acknowledged and counted, and nothing of its handler is called", async () => {
  const { domain, Order, PlaceOrder } = shop();
  const called: string[] = [];
  domain.commandHandler("Commands", {
    partOf: Order,
    handles: [on(PlaceOrder, ({ orderId }) => void called.push(orderId))],
    onDeadLetter: () => void called.push("hook"),
  });
  await using running = await started(domain);
  const sent = async (orderId: string, timeoutMs?: number) =>
    await domain.process(PlaceOrder, { orderId, amount: 1 }, timeoutMs === undefined ? {} : { timeoutMs });
  await sent("late", 1_000);
  await sent("in time", 2_001);
  await sent("whenever");
  await running.clock.advance(2_000);
  const rig = new SubscriptionRig("my_domain::order:command");
  const runner = runnerOf(running.runtime, "Commands");
  const subscription = rig.subscribe(runner, { circuitBreakerThreshold: 1 });
  await subscription.start();
  const messages = await outbox(running.runtime);
  await rig.send(...messages.map((each) => encodeMessage({ ...each, data: canonicalJson(each.data) })));
  await rig.clock.advance(5_000);
  const { counters, breaker } = subscription.status();
  assertEquals([counters.expired, counters.handled, counters.failed, breaker], [1, 2, 0, "closed"]);
  assertEquals(called, ["in time", "whenever"]);
  assertEquals([await rig.pending(runner), await rig.deadLetters()], [[], []]);
  await rig.close(subscription);
});

Deno.test("S66: a timeoutMs that is no time is refused, whoever waits for the command", async () => {
  const { domain, PlaceOrder } = shop();
  await using _running = await started(domain);
  for (const timeoutMs of [0, -1, NaN, Infinity]) {
    for (const asynchronous of [true, false]) {
      await assertRejects(
        () => domain.process(PlaceOrder, { orderId: "1", amount: 1 }, { timeoutMs, asynchronous }),
        IncorrectUsageError,
        "timeoutMs must be a positive number",
      );
    }
  }
});
