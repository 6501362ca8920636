/** The shop's domain: importing this module registers its handlers. */
import { on, SubscriptionProfile } from "@protean/server";
import parseDuration from "npm:parse-duration@2.1.9";
import { Item, ReceiveStock, Reservation, ReserveStock, shop, StockReserved } from "./elements.ts";

export { shop };

shop.commandHandler("StockKeeper", {
  partOf: Item,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  handles: [
    on(ReceiveStock, async ({ sku, quantity }, ctx) => {
      const items = ctx.repository(Item);
      const item = await items.find(sku) ?? Item.create({ id: sku, free: 0 });
      item.update({ free: item.state.free + quantity });
      await items.add(item);
    }),
    on(ReserveStock, async ({ reservationId, sku, quantity, holdFor }, ctx) => {
      const item = await ctx.repository(Item).get(sku);
      if (quantity > item.state.free) {
        throw new Error(
          `Reservation ${reservationId} wants ${quantity} of ${sku}: ${item.state.free} are free.`,
        );
      }
      item.update({ free: item.state.free - quantity });
      item.raise(StockReserved, { reservationId, sku, quantity, until: endOf(holdFor) });
      await ctx.repository(Item).add(item);
    }),
  ],
});

shop.eventHandler("ReservationList", {
  partOf: Item,
  subscriptionProfile: SubscriptionProfile.PRODUCTION,
  idempotent: true,
  handles: [
    on(
      StockReserved,
      ({ reservationId, ...rest }, ctx) => ctx.view(Reservation).put({ id: reservationId, ...rest }),
    ),
  ],
});

/** `1h 30m` → the time at which a hold of that length ends, ISO 8601. */
function endOf(hold: string): string {
  const length = parseDuration(hold);
  if (!length || length < 0) throw new Error(`'${hold}' is no time to hold stock for: say it like '1h 30m'.`);
  return new Date(Date.now() + length).toISOString();
}
