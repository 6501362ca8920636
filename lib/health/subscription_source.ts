/**
 * The rows of `/readyz` from the status of a domain (wire 9.1).
 *
 * @module
 */
import type { Peer } from "../adapters/ports.ts";
import { collectStatus, statusCount, type StatusRuntime } from "../status/collect.ts";
import type { StatusRow } from "../status/row.ts";
import { type Scale, scaleOf } from "../status/scale.ts";
import type { BreakerState } from "../domain/observer.ts";
import type { SubscriptionSource } from "./subscription_collector.ts";
import type { SubscriptionRow } from "./types.ts";

/** A subscription of this process, and its circuit breaker. */
export interface Circuit {
  readonly handler: string;
  readonly category: string;
  readonly breaker: BreakerState;
}

/** What was collected last, whole. */
export interface Latest {
  readonly rows: readonly StatusRow[];
  /** Seconds since the first message of a row that waits or is pending; null: nobody knows. */
  readonly ages: ReadonlyMap<StatusRow, number | null>;
  /** All workers on the broker; undefined: nobody knows. */
  readonly peers: readonly Peer[] | undefined;
  /** Monotonic ms. */
  readonly at: number;
}

export interface StatusSource extends SubscriptionSource {
  /** Undefined: nothing was collected yet. */
  latest(): Latest | undefined;
}

/** `circuits`: the breakers as they are now. @default nothing is told of them */
export function subscriptionSource(
  runtime: StatusRuntime,
  circuits: () => readonly Circuit[] = () => [],
): StatusSource {
  let scale: Scale | undefined;
  let latest: Latest | undefined;
  return {
    total: () => statusCount(runtime),
    scale: () => scale,
    latest: () => latest,
    collect: async () => {
      const rows = await collectStatus(runtime);
      const ages = new Map<StatusRow, number | null>();
      let peers: Latest["peers"];
      scale = await scaleOf(runtime, rows, {
        age: (row, seconds) => void ages.set(row, seconds),
        peers: (all) => peers = all,
      });
      latest = { rows, ages, peers, at: runtime.clock.monotonic() };
      const states = new Map(
        circuits().map((circuit) => [keyOf(circuit.handler, circuit.category), circuit.breaker]),
      );
      return rows.map((row) => probeRow(row, states.get(keyOf(row.handler_name, row.stream_category))));
    },
  };
}

function keyOf(handler: string, category: string): string {
  return JSON.stringify([handler, category]);
}

/** The keys of the reference, in its order. */
function probeRow(row: StatusRow, circuit: BreakerState | undefined): SubscriptionRow {
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
    ...(circuit && { circuit_state: circuit }),
  };
}
