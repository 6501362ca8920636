import * as z from "zod";
import { Order } from "./aggregates.ts";
import { domain } from "./domain.ts";

export const OrderPlaced = domain.event("OrderPlaced", {
  partOf: Order,
  schema: z.object({ orderId: z.string(), amount: z.number(), customer: z.string().optional() }),
});

export const OrderShipped = domain.event("OrderShipped", {
  partOf: Order,
  schema: z.object({ orderId: z.string() }),
});

export const OrderCancelled = domain.event("OrderCancelled", {
  partOf: Order,
  schema: z.object({ orderId: z.string(), reason: z.string().optional() }),
});

export const OrderPaid = domain.event("OrderPaid", {
  partOf: Order,
  schema: z.object({ orderId: z.string(), paymentId: z.string(), amount: z.number() }),
});
