/** The blocks of `docs/guides/testing.md`, one behind the other. */
import { assertEquals } from "@std/assert";
import { DeadLetter, Domain, on, onBatch, RetryAfter } from "@protean/server";
import { testDomain } from "@protean/server/testing";
import { z } from "zod";

const domain = new Domain("shop");
const byOrder = z.object({ orderId: z.string() });
const Order = domain.aggregate("Order", { schema: z.object({ id: z.string(), status: z.string() }) });
const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema: byOrder });
const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema: byOrder });
const Board = domain.projection("Board", { schema: z.object({ id: z.string(), status: z.string() }) });

domain.commandHandler("Orders", {
  partOf: Order,
  handles: [on(PlaceOrder, async ({ orderId }, ctx) => {
    const order = Order.create({ id: orderId, status: "placed" });
    order.raise(OrderPlaced, { orderId });
    await ctx.repository(Order).add(order);
  })],
});

const carrier = { asked: 0, answer: (_orderId: string) => {} };
domain.eventHandler("Shipping", {
  partOf: Order,
  handles: [on(OrderPlaced, ({ orderId }) => {
    carrier.asked++;
    carrier.answer(orderId);
  })],
});

domain.projector("Boards", {
  projection: Board,
  handles: [onBatch(OrderPlaced, { size: 100 }, async (events, ctx) => {
    for (const { orderId } of events) await ctx.view(Board).put({ id: orderId, status: "placed" });
  })],
});

Deno.test("a placed order is on the board", async () => {
  await using shop = await testDomain(domain);
  const outcome = await shop.when(PlaceOrder, { orderId: "1" });
  assertEquals(outcome.failures, []);
  assertEquals(outcome.published(OrderPlaced), [{ orderId: "1" }]);
  assertEquals(await shop.state(Order, "1"), { id: "1", status: "placed" });
  assertEquals(await shop.rows(Board), [{ id: "1", status: "placed" }]);
});

Deno.test("an order is placed once", async () => {
  await using shop = await testDomain(domain);
  await shop.given(PlaceOrder, { orderId: "1" });
  const { failures } = await shop.when(PlaceOrder, { orderId: "1" });
  assertEquals(failures.map(({ handler }) => handler), ["Orders"]);
});

Deno.test("a carrier who is away is asked again, and then the order is a dead letter", async () => {
  await using shop = await testDomain(domain);
  await using server = await shop.serve();
  [carrier.asked, carrier.answer] = [0, () => {
    throw new Error("nobody there");
  }];
  await server.send(OrderPlaced, { orderId: "1" });
  assertEquals(carrier.asked, 1);
  await server.advance(60_000);
  const letters = await server.deadLetters("Shipping");
  assertEquals(letters.map(({ letter }) => letter.errorMessage), ["nobody there"]);
  assertEquals(carrier.asked, 3);
});

Deno.test("a carrier who says when is asked then, and one who refuses is not asked again", async () => {
  await using shop = await testDomain(domain);
  await using server = await shop.serve();
  [carrier.asked, carrier.answer] = [0, (orderId) => {
    if (orderId === "refused") throw new DeadLetter("no such address");
    if (carrier.asked === 1) throw new RetryAfter(3_600_000, "closed");
  }];
  await server.send(OrderPlaced, { orderId: "later" });
  await server.advance(3_599_000);
  assertEquals(carrier.asked, 1);
  await server.advance(1_000);
  assertEquals(carrier.asked, 2);
  await server.send(OrderPlaced, { orderId: "refused" });
  await server.advance(60_000);
  assertEquals(carrier.asked, 3);
  assertEquals((await server.deadLetters("Shipping")).length, 1);
});

Deno.test("on SQLite the board is the same", async () => {
  const folder = await Deno.makeTempDir();
  try {
    carrier.answer = () => {};
    const databases = { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } };
    await using shop = await testDomain(domain, { config: { databases } });
    await shop.when(PlaceOrder, { orderId: "1" });
    assertEquals(await shop.rows(Board), [{ id: "1", status: "placed" }]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
