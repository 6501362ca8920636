/** The bundled `PaymentSubscriber`, as a test of a team's own domain would drive it. */
import { assertEquals, assertMatch } from "@std/assert";
import { testDomain } from "@protean/server/testing";
import { domain, Order, OrderPaid, OrderPlaced, OrderSummary, PlaceOrder } from "../../../handlers/mod.ts";

Deno.test("a payment that the provider tells of settles its order, once, and its summary says so", async () => {
  await using desk = await testDomain(domain);
  await desk.given(PlaceOrder, { orderId: "o-1", amount: 10 });
  const payment = { payment_id: "p-1", order_id: "o-1", amount: 10, currency: "EUR" };
  const { failures } = await desk.receive("payments", payment);
  assertEquals(failures, []);
  assertEquals((await desk.state(Order, "o-1"))?.paymentId, "p-1");
  assertEquals((await desk.rows(OrderSummary)).map(({ paid, status, events }) => [paid, status, events]), [
    [true, "placed", 2],
  ]);
  // The provider sends it once more, as another entry.
  assertEquals((await desk.receive("payments", payment)).failures, []);
  assertEquals(desk.outcome.published(OrderPaid).length, 1);
  assertEquals(desk.outcome.published(OrderPlaced).length, 1);
});

Deno.test("what the provider words differently, or pays in vain, fails and changes nothing", async () => {
  await using desk = await testDomain(domain);
  await desk.given(PlaceOrder, { orderId: "o-1", amount: 10 });
  const told = async (payload: Record<string, unknown> | string) =>
    (await desk.receive("payments", payload)).failures.map(({ handler, error }) =>
      `${handler}: ${error.message}`
    );
  assertMatch(
    (await told({ paymentId: "p-1", orderId: "o-1", amount: 10 })).join(),
    /^PaymentSubscriber: .*payment_id/s,
  );
  assertMatch((await told("paid!")).join(), /^PaymentSubscriber: /);
  assertMatch(
    (await told({ payment_id: "p", order_id: "o-9", amount: 1 })).join(),
    /^OrderCommandHandler: .*o-9/,
  );
  assertMatch((await told({ payment_id: "p", order_id: "o-1", amount: 1 })).join(), /less than the amount/);
  assertEquals((await desk.state(Order, "o-1"))?.paymentId, undefined);
});
