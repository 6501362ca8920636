/** Consumers that earlier starts of the same process have left (PIPE-9, S47). */
import { assertEquals } from "@std/assert";
import { CATEGORY, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

Deno.test("a start removes what earlier starts of its host and number have left without anything pending, and nobody else", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner();
  await rig.publish("a1");
  const join = async (consumer: string) => {
    const group = rig.broker.group({ stream: CATEGORY, group: runner.group, consumer });
    await group.ensure();
    await group.read({ count: 1 });
  };
  // The first has the message; it is no consumer without anything pending.
  for (const end of ["host-1-0000aa", "host-1-0000ab", "host-11-0000ac", "other-1-0000ad"]) {
    await join(`${runner.name}-${end}`);
  }
  // One that lives: a container on the same host's network may have the same number.
  await rig.clock.advance(11_000);
  await join("host-1-0000ae");
  const consumers = async () => (await rig.broker.groups(CATEGORY))[0]?.consumers;
  assertEquals(await consumers(), 5);
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.clock.advance(100);
  // 0000ab went, and it has come itself.
  assertEquals(await consumers(), 5);
  assertEquals((await rig.pending(runner)).map(({ consumer }) => consumer), [`${runner.name}-host-1-0000aa`]);
  await rig.clock.advance(40_000);
  assertEquals(runner.log, "a1");
  await rig.close(subscription);
});
