/**
 * The audited domain with its handlers on the event store: one that is idempotent, and one that is not and
 * whose effects show what a second owner would do.
 *
 * @module
 */
import { Domain, on, SubscriptionProfile } from "@protean/server";
import { leaveEffect } from "./effect.ts";
import { declareSource } from "./source.ts";

export const domain = new Domain("audit");
export const audited = declareSource(domain);

for (const [name, idempotent] of [["StoredHandler", true], ["PlainHandler", false]] as const) {
  domain.eventHandler(name, {
    partOf: audited.Source,
    subscriptionProfile: SubscriptionProfile.PROJECTION,
    idempotent,
    handles: [
      on(audited.Numbered, ({ key, n }, ctx) => leaveEffect(ctx, audited.Left, { handler: name, key, n })),
    ],
  });
}
