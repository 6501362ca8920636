/**
 * The audited domain with a full unit of work in the middle: a handler that keeps an aggregate, raises an
 * event of its own through the outbox, leaves an effect and is marked, and a second handler behind it.
 *
 * @module
 */
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { leaveEffect } from "./effect.ts";
import { declareSource } from "./source.ts";

export const domain = new Domain("audit");
export const audited = declareSource(domain);

/** Counts the events of one key; doubled or lost work would show in it. */
export const Ledger = domain.aggregate("Ledger", {
  schema: z.object({ id: z.string(), booked: z.number().int() }),
});

export const Booked = domain.event("Booked", {
  partOf: Ledger,
  schema: z.object({ key: z.string(), n: z.number().int() }),
});

domain.eventHandler("LedgerHandler", {
  partOf: audited.Source,
  idempotent: true,
  handles: [
    on(audited.Numbered, async ({ key, n }, ctx) => {
      const ledgers = ctx.repository(Ledger);
      const ledger = await ledgers.find(key) ?? Ledger.create({ id: key, booked: 0 });
      ledger.update({ booked: ledger.state.booked + 1 });
      ledger.raise(Booked, { key, n });
      await ledgers.add(ledger);
      await leaveEffect(ctx, audited.Left, { handler: "LedgerHandler", key, n });
    }),
  ],
});

domain.eventHandler("BookedHandler", {
  partOf: Ledger,
  idempotent: true,
  handles: [
    on(Booked, ({ key, n }, ctx) => leaveEffect(ctx, audited.Left, { handler: "BookedHandler", key, n })),
  ],
});
