/**
 * The audited domain: numbered events, and one idempotent handler that leaves an effect for each.
 *
 * @module
 */
import "./clock_ahead.ts";
import { Domain, on } from "@protean/server";
import { leaveEffect } from "./effect.ts";
import { declareSource } from "./source.ts";

export const domain = new Domain("audit");
export const audited = declareSource(domain);

domain.eventHandler("EffectHandler", {
  partOf: audited.Source,
  idempotent: true,
  handles: [
    on(
      audited.Numbered,
      ({ key, n }, ctx) => leaveEffect(ctx, audited.Left, { handler: "EffectHandler", key, n }),
    ),
  ],
});
