/**
 * What a subscription has done, as plain data.
 *
 * @module
 */
import type { ServiceStatus } from "../async/service.ts";
import type { DeliveryEvent } from "../domain/observer.ts";

/** One handler on one stream category. */
export interface SubscriptionStatus extends ServiceStatus {
  readonly kind: "subscription";
  readonly handler: string;
  readonly category: string;
  readonly counters: Readonly<Record<DeliveryEvent, number>>;
}

export function isSubscriptionStatus(status: ServiceStatus): status is SubscriptionStatus {
  return status.kind === "subscription";
}
