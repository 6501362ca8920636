/**
 * Keeps up the ownership of everything read and not finished, so that nobody else claims it (delivery 1,
 * PIPE-4).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { every } from "../async/every.ts";
import { asError } from "../errors.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

/** Refreshes three times within the claim threshold, until `signal` aborts. Never rejects. */
export function keepOwnership(scope: SubscriptionScope, signal: AbortSignal): Promise<void> {
  return every(scope.clock, scope.settings.claimIdleMs / 3, signal, () => refresh(scope));
}

async function refresh({ name, inbox, figures }: SubscriptionScope): Promise<void> {
  for (const [lane, deliveries] of inbox.owned()) {
    if (deliveries.length === 0) continue;
    try {
      const lost = await lane.source.refresh(deliveries.map((delivery) => delivery.id));
      if (lost.length > 0) figures.happened("lost", inbox.lose(lane, new Set(lost)));
    } catch (error) {
      log.debug("subscription.refresh_deferred", { subscription: name, error: asError(error).message });
    }
  }
}
