/**
 * A large message is read, checked and judged in steps with turns of the event loop between them, so that
 * probes, sockets and timers have theirs (issue 10, point 3); its place in the order is taken before.
 */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { eventText, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";
import { until } from "../../support/until.ts";

const PAD = `,"pad":"${"x".repeat(1_100_000)}"}`;
const large = (id: string, n: number) => eventText(id, n).replace(/}$/, PAD);

Deno.test("the event loop turns between the steps in which a large message is judged", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner);
  await subscription.start();
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  const turnsUntilJudged = async (text: string) => {
    const judged = Promise.withResolvers<number>();
    runner.judge = () => {
      judged.resolve(turns);
      return { kind: "run", plan: undefined };
    };
    const before = turns;
    await rig.send(text);
    return await judged.promise - before;
  };
  count();
  const small = await turnsUntilJudged(eventText("a", 1));
  const whole = await turnsUntilJudged(large("b", 1));
  counting = false;
  assert(whole >= small + 3, `${whole} turns, and ${small} for a small one`);
  await rig.clock.advance(1_000);
  assertEquals(runner.log, "a1 b1");
  await rig.close(subscription);
});

Deno.test("a message behind a large one of its stream waits for it, however many run at once", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner, { concurrency: 4 });
  await subscription.start();
  await rig.send(large("a", 1), eventText("a", 2), eventText("b", 1), large("a", 3), eventText("a", 4));
  await until(() => runner.calls.length === 5, "the calls of the handler");
  assertEquals(runner.log.split(" ").filter((call) => call.startsWith("a")), ["a1", "a2", "a3", "a4"]);
  await rig.close(subscription);
});

Deno.test("a large message that is refused is dead-lettered, and the next of its stream goes on", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  const subscription = rig.subscribe(runner);
  await subscription.start();
  const broken = large("a", 1).replace('"a"', '"b"');
  await rig.send(broken, eventText("a", 2));
  await until(() => runner.calls.length === 1, "the calls of the handler");
  assertEquals(runner.log, "a2");
  assertEquals((await rig.deadLetters()).length, 1);
  await rig.close(subscription);
});
