/** The example of the documentation, executed: a domain tested without servers and without waiting. */
import { assertEquals } from "@std/assert";
import { Domain, on } from "@protean/server";
import { testDomain } from "@protean/server/testing";
import { z } from "zod";

const domain = new Domain("shop");

const Order = domain.aggregate("Order", {
  schema: z.object({ id: z.string(), status: z.enum(["placed", "shipped"]) }),
});
const byOrder = z.object({ orderId: z.string() });
const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema: byOrder });
const OrderShipped = domain.event("OrderShipped", { partOf: Order, schema: byOrder });
const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema: byOrder });
const ShipOrder = domain.command("ShipOrder", { partOf: Order, schema: byOrder });
const Status = domain.projection("Status", { schema: z.object({ id: z.string(), status: z.string() }) });

domain.commandHandler("Orders", {
  partOf: Order,
  handles: [
    on(PlaceOrder, async ({ orderId }, ctx) => {
      const order = Order.create({ id: orderId, status: "placed" });
      order.raise(OrderPlaced, { orderId });
      await ctx.repository(Order).add(order);
    }),
    on(ShipOrder, async ({ orderId }, ctx) => {
      const order = await ctx.repository(Order).get(orderId);
      order.update({ status: "shipped" });
      order.raise(OrderShipped, { orderId });
      await ctx.repository(Order).add(order);
    }),
  ],
});
domain.projector("Board", {
  projection: Status,
  handles: [
    on(OrderPlaced, ({ orderId }, ctx) => ctx.view(Status).put({ id: orderId, status: "placed" })),
    on(OrderShipped, ({ orderId }, ctx) => ctx.view(Status).put({ id: orderId, status: "shipped" })),
  ],
});

Deno.test("a placed order can be shipped", async () => {
  await using shop = await testDomain(domain);
  await shop.given(PlaceOrder, { orderId: "1" });
  const outcome = await shop.when(ShipOrder, { orderId: "1" });
  assertEquals(outcome.published(OrderShipped), [{ orderId: "1" }]);
  assertEquals(await shop.state(Order, "1"), { id: "1", status: "shipped" });
  assertEquals(await shop.rows(Status), [{ id: "1", status: "shipped" }]);
});

Deno.test("an order that nobody placed cannot be shipped", async () => {
  await using shop = await testDomain(domain);
  const { failures } = await shop.when(ShipOrder, { orderId: "2" });
  assertEquals(failures.map(({ handler, error }) => [handler, error.message]), [
    ["Orders", "There is no Order '2': use find(…) where it may be missing."],
  ]);
});
