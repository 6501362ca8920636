import { type Context, on, SubscriptionProfile } from "@protean/server";
import { domain } from "./domain.ts";
import { OrderCancelled, OrderPlaced, OrderShipped } from "./events.ts";
import { OrderSummary } from "./projections.ts";

async function changeStatus(ctx: Context, orderId: string, status: string): Promise<void> {
  const summary = await ctx.view(OrderSummary).get(orderId);
  if (!summary) throw new Error(`Order ${orderId} has no summary yet.`);
  await ctx.view(OrderSummary).put({ ...summary, status, events: summary.events + 1 });
}

domain.projector("OrderSummaryProjector", {
  projection: OrderSummary,
  streamCategories: ["my_domain::order"],
  subscriptionProfile: SubscriptionProfile.PROJECTION,
  // The projection profile reads the event store; until such subscriptions exist this one reads the stream.
  subscriptionConfig: { subscriptionType: "stream" },
  idempotent: true,
  handles: [
    on(
      OrderPlaced,
      ({ orderId, amount }, ctx) =>
        ctx.view(OrderSummary).put({ id: orderId, amount, status: "placed", events: 1 }),
    ),
    on(OrderShipped, ({ orderId }, ctx) => changeStatus(ctx, orderId, "shipped")),
    on(OrderCancelled, ({ orderId }, ctx) => changeStatus(ctx, orderId, "cancelled")),
  ],
});
