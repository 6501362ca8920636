/** The domain in memory: no server, no waiting. */
import { testDomain } from "@protean/server/testing";
import { deepStrictEqual, match } from "node:assert/strict";
import { domain } from "./domain.ts";
import { OrderPlaced, OrderSummary, PlaceOrder } from "./elements.ts";

Deno.test("an order that is placed has a summary", async () => {
  await using shop = await testDomain(domain);
  const outcome = await shop.when(PlaceOrder, { orderId: "o-1", amount: 10 });
  deepStrictEqual(outcome.failures, []);
  deepStrictEqual(outcome.published(OrderPlaced), [{ orderId: "o-1", amount: 10 }]);
  deepStrictEqual(await shop.rows(OrderSummary), [{ id: "o-1", amount: 10 }]);
});

Deno.test("an order above the credit limit becomes a dead letter at once", async () => {
  await using shop = await testDomain(domain);
  await using server = await shop.serve();
  await server.send(PlaceOrder, { orderId: "o-2", amount: 1_000_000 });
  await server.advance(1_000);
  const letters = await server.deadLetters("OrderCommandHandler");
  deepStrictEqual(letters.length, 1);
  match(letters[0]?.letter.failureReason ?? "", /exceeds the credit limit/);
});
