/**
 * What the shop's stock is made of: an item, what can be asked of it, what happens to it, and who has
 * reserved what.
 */
import { Domain } from "@protean/server";
import * as z from "zod";

export const shop = new Domain("shop");

const sku = z.string().min(1);
const quantity = z.number().int().positive();

export const Item = shop.aggregate("Item", {
  schema: z.object({ id: sku, free: z.number().int().min(0) }),
});

export const ReceiveStock = shop.command("ReceiveStock", {
  partOf: Item,
  identity: "sku",
  schema: z.object({ sku, quantity }),
});

export const ReserveStock = shop.command("ReserveStock", {
  partOf: Item,
  identity: "sku",
  schema: z.object({ reservationId: z.string().min(1), sku, quantity, holdFor: z.string().default("30m") }),
});

export const StockReserved = shop.event("StockReserved", {
  partOf: Item,
  schema: z.object({ reservationId: z.string(), sku, quantity, until: z.iso.datetime() }),
});

export const Reservation = shop.projection("Reservation", {
  schema: z.object({ id: z.string(), sku, quantity, until: z.iso.datetime() }),
});
