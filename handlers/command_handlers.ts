import { on, SubscriptionProfile } from "@protean/server";
import { Order } from "./aggregates.ts";
import { CancelOrder, PlaceOrder, RecordPayment, ShipOrder } from "./commands.ts";
import { domain } from "./domain.ts";
import { OrderCancelled, OrderPaid, OrderPlaced, OrderShipped } from "./events.ts";

/**
 * Nobody may order for more without a contract: such commands fail every time and end in the dead-letter
 * queue.
 */
export const CREDIT_LIMIT = 10_000;

domain.commandHandler("OrderCommandHandler", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  // An order that breaks a rule is refused for its own sake: however many come in a row, the others go on.
  subscriptionConfig: { circuitBreakerThreshold: 1000 },
  handles: [
    on(PlaceOrder, async ({ orderId, amount, customer }, ctx) => {
      const orders = ctx.repository(Order);
      if (amount <= 0) throw new Error(`Order ${orderId} has the amount ${amount}: it must be above zero.`);
      if (amount > CREDIT_LIMIT) {
        throw new Error(`Order ${orderId} exceeds the credit limit of ${CREDIT_LIMIT}.`);
      }
      if (await orders.find(orderId)) throw new Error(`Order ${orderId} is already placed.`);
      const order = Order.create({ id: orderId, status: "placed", amount, customer });
      order.raise(OrderPlaced, { orderId, amount, customer });
      await orders.add(order);
    }),
    on(ShipOrder, async ({ orderId }, ctx) => {
      const order = await ctx.repository(Order).get(orderId);
      if (order.state.status !== "placed") {
        throw new Error(`Order ${orderId} is ${order.state.status}: only a placed order can be shipped.`);
      }
      order.update({ status: "shipped" });
      order.raise(OrderShipped, { orderId });
      await ctx.repository(Order).add(order);
    }),
    on(RecordPayment, async ({ orderId, paymentId, amount }, ctx) => {
      const order = await ctx.repository(Order).get(orderId);
      if (order.state.paymentId === paymentId) return;
      if (order.state.paymentId !== undefined) throw new Error(`Order ${orderId} is already paid.`);
      if (amount < order.state.amount) {
        throw new Error(`The payment ${paymentId} is less than the amount of order ${orderId}.`);
      }
      order.update({ paymentId });
      order.raise(OrderPaid, { orderId, paymentId, amount });
      await ctx.repository(Order).add(order);
    }),
    on(CancelOrder, async ({ orderId, reason }, ctx) => {
      const order = await ctx.repository(Order).get(orderId);
      if (order.state.status === "shipped") {
        throw new Error(`Order ${orderId} is shipped: it cannot be cancelled any more.`);
      }
      order.update({ status: "cancelled" });
      order.raise(OrderCancelled, { orderId, reason });
      await ctx.repository(Order).add(order);
    }),
  ],
});
