/** Ids that no index of a database has room for are refused where they come in (`long-id-index`). */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { on, ValidationError } from "@protean/server";
import { handle, outbox, runnerOf, shop, started } from "../fixture.ts";
import { eventMetadata } from "../../../../lib/message/metadata.ts";

const LONG = "x".repeat(6000);
/** 1024 bytes, of fewer characters. */
const LONGEST = "ä".repeat(512);

const sentence = (error: ValidationError) => {
  assert(error.message.length < 200, error.message);
  assertEquals(error.message.match(/\.$/)?.length, 1);
  assertEquals(error.message.includes("1024 are the most"), true, error.message);
};

Deno.test("an aggregate, an event, a command and a projection's row with an id of 6 kB are refused in one sentence", async () => {
  const my = shop();
  await using running = await started(my.domain);
  const { domain, Order, OrderPlaced, PlaceOrder, Counter } = my;
  for (const id of [LONG, `${LONGEST}x`]) {
    const data = { orderId: id, amount: 1 };
    sentence(assertThrows(() => Order.create({ id, status: "placed", amount: 1 }), ValidationError));
    sentence(await assertRejects(() => domain.publish(OrderPlaced, data), ValidationError));
    const short = { orderId: "1", amount: 1 };
    sentence(await assertRejects(() => domain.publish(OrderPlaced, short, { id }), ValidationError));
    sentence(await assertRejects(() => domain.process(PlaceOrder, data), ValidationError));
    const saving = domain.unitOfWork((ctx) => ctx.view(Counter).put({ id, count: 1 }));
    sentence(await assertRejects(() => saving, ValidationError));
  }
  assertEquals(await outbox(running.runtime), []);
  await domain.publish(OrderPlaced, { orderId: LONGEST, amount: 1 });
  assertEquals((await outbox(running.runtime)).length, 1);
});

Deno.test("a message of others with an id of 6 kB is handled once, by an idempotent handler", async () => {
  const my = shop();
  let handled = 0;
  my.domain.eventHandler("Listener", {
    partOf: my.Order,
    idempotent: true,
    handles: [on(my.OrderPlaced, () => void handled++)],
  });
  await using running = await started(my.domain);
  const message = (last: string) => ({
    data: { orderId: "1", amount: 1 },
    metadata: eventMetadata({
      id: LONG + last,
      time: 0,
      type: "MyDomain.OrderPlaced.v1",
      stream: "my_domain::order-1",
      category: "my_domain::order",
      checksum: null,
    }),
  });
  const runner = runnerOf(running.runtime, "Listener");
  assertEquals(await handle(runner, message("a")), "handled");
  assertEquals(await handle(runner, message("a")), "duplicate");
  assertEquals(await handle(runner, message("b")), "handled");
  assertEquals(handled, 2);
});
