/**
 * The audited domain with an order across processes: two handlers that leave an effect for each event, one of
 * them idempotent.
 *
 * @module
 */
import "./clock_ahead.ts";
import { Domain, on } from "@protean/server";
import { leaveEffect } from "./effect.ts";
import { declareSource } from "./source.ts";

export const domain = new Domain("audit");
export const audited = declareSource(domain);

for (const [handler, idempotent] of [["EffectHandler", true], ["PlainHandler", false]] as const) {
  domain.eventHandler(handler, {
    partOf: audited.Source,
    idempotent,
    sequentialBy: "key",
    handles: [on(audited.Numbered, ({ key, n }, ctx) => leaveEffect(ctx, audited.Left, { handler, key, n }))],
  });
}
