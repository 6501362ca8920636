import * as z from "zod";
import { Order } from "./aggregates.ts";
import { domain } from "./domain.ts";

export const PlaceOrder = domain.command("PlaceOrder", {
  partOf: Order,
  identity: "orderId",
  schema: z.object({ orderId: z.string().min(1), amount: z.number(), customer: z.string().optional() }),
});

export const ShipOrder = domain.command("ShipOrder", {
  partOf: Order,
  identity: "orderId",
  schema: z.object({ orderId: z.string().min(1) }),
});

export const RecordPayment = domain.command("RecordPayment", {
  partOf: Order,
  identity: "orderId",
  schema: z.object({ orderId: z.string().min(1), paymentId: z.string().min(1), amount: z.number() }),
});

export const CancelOrder = domain.command("CancelOrder", {
  partOf: Order,
  identity: "orderId",
  schema: z.object({ orderId: z.string().min(1), reason: z.string().optional() }),
});
