/**
 * The rows of `/readyz` from the status of a domain (wire 9.1).
 *
 * @module
 */
import { collectStatus, statusCount, type StatusRuntime } from "../status/collect.ts";
import type { StatusRow } from "../status/row.ts";
import type { SubscriptionSource } from "./subscription_collector.ts";
import type { SubscriptionRow } from "./types.ts";

export function subscriptionSource(runtime: StatusRuntime): SubscriptionSource {
  return {
    total: () => statusCount(runtime),
    collect: async () => (await collectStatus(runtime)).map(probeRow),
  };
}

/** The keys of the reference, in its order. */
function probeRow(row: StatusRow): SubscriptionRow {
  return {
    name: row.name,
    handler_name: row.handler_name,
    subscription_type: row.subscription_type,
    stream_category: row.stream_category,
    lag: row.lag,
    pending: row.pending,
    status: row.status,
    dlq_depth: row.dlq_depth,
    lag_seconds: row.lag_seconds,
  };
}
