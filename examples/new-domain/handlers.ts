/** What is done: importing this module registers the handlers. */
import { DeadLetter, on, SubscriptionProfile } from "@protean/server";
import { domain, Order, OrderPlaced, OrderSummary, PlaceOrder } from "./elements.ts";

/** Who orders for more needs a contract. */
const CREDIT_LIMIT = 10_000;

domain.commandHandler("OrderCommandHandler", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  handles: [
    on(PlaceOrder, async ({ orderId, amount }, ctx) => {
      // No further attempt would help. Any other error is tried again, and dead-lettered after the last attempt.
      if (amount > CREDIT_LIMIT) {
        throw new DeadLetter(`Order ${orderId} exceeds the credit limit of ${CREDIT_LIMIT}`);
      }
      const order = Order.create({ id: orderId, amount });
      order.raise(OrderPlaced, { orderId, amount });
      await ctx.repository(Order).add(order);
    }),
  ],
});

domain.eventHandler("ShippingHandler", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  handles: [
    on(OrderPlaced, ({ orderId, amount }, ctx) => {
      ctx.log.info("Order {orderId} over {amount} is on its way.", { orderId, amount });
    }),
  ],
});

domain.projector("OrderSummaryProjector", {
  projection: OrderSummary,
  streamCategories: ["new_domain::order"],
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  handles: [
    on(OrderPlaced, ({ orderId, amount }, ctx) => ctx.view(OrderSummary).put({ id: orderId, amount })),
  ],
});
