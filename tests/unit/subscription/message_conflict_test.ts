/**
 * Another message under the id of one that was handled (D24): it is no repetition, and is not lost as one.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { on } from "@protean/server";
import { MessageConflictError } from "../../../lib/errors.ts";
import { checksumOf } from "../../../lib/message/checksum.ts";
import { canonicalJson } from "../../../lib/message/canonical.ts";
import { eventMetadata } from "../../../lib/message/metadata.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";
import { handle, inMemory, inSqlite, runnerOf, shop, started } from "../domain/fixture.ts";

Deno.test("a conflict of ids is dead-lettered at its first attempt, says so, and holds up nobody", async () => {
  const rig = new SubscriptionRig();
  const conflict = () => new MessageConflictError("Message 'x' has other data than the one handled.");
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a") throw conflict();
    if (id === "b") throw new AggregateError([conflict(), conflict()], "2 of 2 methods failed");
  });
  const subscription = rig.subscribe(runner, { maxRetries: 5 });
  await subscription.start();
  await rig.publish("a1 b1 c1");
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 b1 c1");
  const letters = await rig.deadLetters();
  assertEquals(letters.length, 2);
  assertStringIncludes(JSON.stringify(letters[0]), "MessageConflictError");
  await rig.close(subscription);
});

Deno.test("an idempotent handler tells another message under the same id from a repetition", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const config of [inMemory(), inSqlite(folder)]) {
      const my = shop();
      const amounts: number[] = [];
      my.domain.eventHandler("Listener", {
        partOf: my.Order,
        idempotent: true,
        handles: [on(my.OrderPlaced, ({ amount }) => void amounts.push(amount))],
      });
      await using running = await started(my.domain, { config });
      const runner = runnerOf(running.runtime, "Listener");
      const message = (amount: number, isChecked = true) => {
        const data = { orderId: "1", amount };
        return {
          data,
          metadata: eventMetadata({
            id: "my_domain::order-1-0.1",
            time: 0,
            type: "MyDomain.OrderPlaced.v1",
            stream: "my_domain::order-1",
            category: "my_domain::order",
            checksum: isChecked ? checksumOf(canonicalJson(data)) : null,
          }),
        };
      };
      const outcome = async (amount: number, isChecked?: boolean) => {
        try {
          return await handle(runner, message(amount, isChecked));
        } catch (error) {
          return error instanceof Error ? error.name : error;
        }
      };
      assertEquals(await outcome(1), "handled");
      assertEquals(await outcome(1), "duplicate");
      assertEquals(await outcome(2), "MessageConflictError");
      assertEquals(await outcome(1, false), "duplicate");
      assertEquals(await outcome(2, false), "MessageConflictError");
      assertEquals(amounts, [1]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
