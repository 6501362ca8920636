/**
 * What a subscription has done, as plain data.
 *
 * @module
 */
import type { ServiceStatus } from "../async/service.ts";
import type { BreakerState, DeliveryEvent } from "../domain/observer.ts";

/** One handler on one stream category. */
export interface SubscriptionStatus extends ServiceStatus {
  readonly kind: "subscription";
  readonly handler: string;
  readonly category: string;
  /**
   * Of the unfinished, those that wait for more than another minute because their handlers threw `RetryAfter`,
   * and all that waits behind them. 0 where they are not told apart: on the event store.
   */
  readonly postponed: number;
  /** Streams of the keys (`sequentialBy`) whose next message waits so; what is behind it is not read. */
  readonly postponedPartitions: readonly string[];
  /** Deliveries whose handlers run. */
  readonly inFlight: number;
  /** Deliveries that wait for an attempt: after a failure, or because their handlers want it so. */
  readonly retrying: number;
  /** Whether it starts nothing new: its breaker is open, or a backend that it needs is away. */
  readonly paused: boolean;
  /** Milliseconds since its reader last came round; null while it does not read. */
  readonly lastPollAgeMs: number | null;
  readonly counters: Readonly<Record<DeliveryEvent, number>>;
  /** Its circuit breaker, in this process. */
  readonly breaker: BreakerState;
  /** What `declined` consists of: how often for each reason. */
  readonly declined: Readonly<Record<string, number>>;
}

/** Messages of which it has come to an end, whatever that was. */
export function finishedOf({ counters }: Pick<SubscriptionStatus, "counters">): number {
  return ENDS.reduce((sum, event) => sum + counters[event], 0);
}

const ENDS: readonly DeliveryEvent[] = [
  ...["handled", "duplicates", "ignored", "foreign", "handedOver", "expired"] as const,
  ...["deadLettered", "discarded", "setAside", "exhausted", "declined", "trimmed"] as const,
];

export function isSubscriptionStatus(status: ServiceStatus): status is SubscriptionStatus {
  return status.kind === "subscription";
}
