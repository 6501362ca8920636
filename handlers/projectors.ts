import { type Context, on, SubscriptionProfile } from "@protean/server";
import { domain } from "./domain.ts";
import { OrderCancelled, OrderPaid, OrderPlaced, OrderShipped } from "./events.ts";
import { OrderSummary } from "./projections.ts";

async function change(
  ctx: Context,
  orderId: string,
  what: { readonly status?: string; readonly paid?: boolean },
): Promise<void> {
  const summary = await ctx.view(OrderSummary).get(orderId);
  if (!summary) throw new Error(`Order ${orderId} has no summary yet.`);
  await ctx.view(OrderSummary).put({ ...summary, ...what, events: summary.events + 1 });
}

domain.projector("OrderSummaryProjector", {
  projection: OrderSummary,
  streamCategories: ["my_domain::order"],
  subscriptionProfile: SubscriptionProfile.PROJECTION,
  idempotent: true,
  batch: 100,
  handles: [
    on(
      OrderPlaced,
      ({ orderId, amount }, ctx) =>
        ctx.view(OrderSummary).put({ id: orderId, amount, status: "placed", events: 1 }),
    ),
    on(OrderShipped, ({ orderId }, ctx) => change(ctx, orderId, { status: "shipped" })),
    on(OrderCancelled, ({ orderId }, ctx) => change(ctx, orderId, { status: "cancelled" })),
    on(OrderPaid, ({ orderId }, ctx) => change(ctx, orderId, { paid: true })),
  ],
});
