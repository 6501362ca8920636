/** A flood of malformed messages is no flood of the log (L8h). */
import { assertEquals } from "@std/assert";
import { logged } from "../../support/logged.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const malformed = (count: number) => Array.from({ length: count }, (_, index) => `no JSON ${index}`);

for (const enableDlq of [true, false]) {
  const event = enableDlq ? "subscription.dead_lettered" : "subscription.discarding";
  Deno.test(`of many messages that are given up twenty are told, and how many more there were: ${event} (L8h)`, async () => {
    const rig = new SubscriptionRig();
    const subscription = rig.subscribe(new ScriptedRunner(), { enableDlq, messagesPerTick: 100 });
    const records = await logged(async () => {
      await subscription.start();
      await rig.send(...malformed(100));
      await rig.clock.advance(9_000);
      await rig.send(...malformed(50));
      await rig.clock.advance(2_000);
      await rig.send(...malformed(30));
      await rig.clock.advance(1_000);
      await rig.close(subscription);
    });
    const told = records.filter(({ rawMessage }) => rawMessage === event).length;
    const more = records.filter(({ rawMessage }) => rawMessage === `${event}_more`);
    assertEquals(told, 40);
    assertEquals(more.map(({ properties }) => [properties["more"], properties["subscription"]]), [
      [130, subscription.name],
      [10, subscription.name],
    ]);
    assertEquals(rig.clock.pending, 0);
    if (enableDlq) assertEquals((await rig.deadLetters()).length, 180);
  });
}
