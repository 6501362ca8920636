import { on, onAny, SubscriptionProfile } from "@protean/server";
import { Order } from "./aggregates.ts";
import { domain } from "./domain.ts";
import { OrderCancelled, OrderPlaced, OrderShipped } from "./events.ts";
import { AuditEntry, BulkOrder, PickingList } from "./projections.ts";

const BULK_AMOUNT = 1000;

domain.eventHandler("OrderEventHandler", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  idempotent: true,
  handles: [
    on(OrderPlaced, ({ orderId, amount }, ctx) => ctx.view(PickingList).put({ id: orderId, amount })),
    on(OrderShipped, ({ orderId }, ctx) => ctx.view(PickingList).delete(orderId)),
    on(OrderCancelled, ({ orderId }, ctx) => ctx.view(PickingList).delete(orderId)),
  ],
});

domain.eventHandler("BulkOrderHandler", {
  partOf: Order,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  subscriptionConfig: { messagesPerTick: 50 },
  handles: [
    on(OrderPlaced, async ({ orderId, amount }, ctx) => {
      if (amount >= BULK_AMOUNT) await ctx.view(BulkOrder).put({ id: orderId, amount });
    }),
  ],
});

domain.eventHandler("AuditHandler", {
  partOf: Order,
  subscriptionConfig: { dlqRetentionHours: 720, dlqAlertThreshold: 10 },
  handles: [
    onAny((_event, ctx) => {
      const { id, type, stream } = ctx.message;
      return ctx.view(AuditEntry).put({ id, type, stream });
    }),
  ],
});
