import { DeadLetter } from "@protean/server";
import * as z from "zod";
import { RecordPayment } from "./commands.ts";
import { domain } from "./domain.ts";

/** What the payment provider calls things; nothing behind this file knows its words. */
const payment = z.object({ payment_id: z.string().min(1), order_id: z.string().min(1), amount: z.number() });

domain.subscriber("PaymentSubscriber", {
  broker: "default",
  stream: "payments",
  idempotent: true,
  handle: async (payload, ctx) => {
    const { data, error } = payment.safeParse(payload);
    // No further attempt makes a payment of it.
    if (error) throw new DeadLetter(`This is no payment: ${z.prettifyError(error)}`);
    const { payment_id: paymentId, order_id: orderId, amount } = data;
    await ctx.process(RecordPayment, { orderId, paymentId, amount });
  },
});
