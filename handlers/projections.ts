import * as z from "zod";
import { domain } from "./domain.ts";

/** One row for every order, with what has become of it. */
export const OrderSummary = domain.projection("OrderSummary", {
  schema: z.object({
    id: z.string(),
    amount: z.number(),
    status: z.string(),
    paid: z.boolean().optional(),
    events: z.number().int(),
  }),
});

/** What the warehouse has to pick: placed, and neither shipped nor cancelled. */
export const PickingList = domain.projection("PickingList", {
  schema: z.object({ id: z.string(), amount: z.number() }),
});

/** Orders large enough for a truck of their own. */
export const BulkOrder = domain.projection("BulkOrder", {
  schema: z.object({ id: z.string(), amount: z.number() }),
});

/** Every event, once. */
export const AuditEntry = domain.projection("AuditEntry", {
  schema: z.object({ id: z.string(), type: z.string(), stream: z.string() }),
});
