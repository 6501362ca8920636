/** What there is: an order, what can be asked of it, what happens to it, and a row to look at for each. */
import { Domain } from "@protean/server";
// The zod that comes with the library. Any other Standard Schema validator will do.
import { z } from "@protean/server/zod";

export const domain = new Domain("new_domain");

export const Order = domain.aggregate("Order", {
  schema: z.object({ id: z.string(), amount: z.number() }),
});

export const PlaceOrder = domain.command("PlaceOrder", {
  partOf: Order,
  identity: "orderId",
  schema: z.object({ orderId: z.string().min(1), amount: z.number().positive() }),
});

export const OrderPlaced = domain.event("OrderPlaced", {
  partOf: Order,
  schema: z.object({ orderId: z.string(), amount: z.number() }),
});

export const OrderSummary = domain.projection("OrderSummary", {
  schema: z.object({ id: z.string(), amount: z.number() }),
});
