import * as z from "zod";
import { domain } from "./domain.ts";

export const Order = domain.aggregate("Order", {
  schema: z.object({
    id: z.string(),
    status: z.enum(["placed", "shipped", "cancelled"]),
    amount: z.number(),
    customer: z.string().optional(),
    /** The payment that settled it. */
    paymentId: z.string().optional(),
  }),
});
