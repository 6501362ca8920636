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
    const { payment_id: paymentId, order_id: orderId, amount } = payment.parse(payload);
    await ctx.process(RecordPayment, { orderId, paymentId, amount });
  },
});
