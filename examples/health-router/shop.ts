/**
 * A domain of an API process: it publishes what happened, and handles nothing here.
 *
 * @module
 */
import { Domain } from "@protean/server";
import { z } from "zod";

export const domain = new Domain("shop");
const schema = z.object({ id: z.string() });
const Order = domain.aggregate("Order", { schema });
export const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
