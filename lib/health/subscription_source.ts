/**
 * The rows of `/readyz` from the status of a domain (wire 9.1).
 *
 * @module
 */
import type { Peer } from "../adapters/ports.ts";
import { collectStatus, statusCount, type StatusRuntime } from "../status/collect.ts";
import type { AgesInSeconds } from "../status/ages.ts";
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
  /**
   * Age of the first delivery that is not acknowledged, as of the last collection, in seconds; 0 where there is
   * none, null where nobody knows.
   */
  pendingSeconds(row: Pick<StatusRow, "handler_name" | "stream_category">): number | null;
}

/** `circuits`: the breakers as they are now. @default nothing is told of them */
export function subscriptionSource(
  runtime: StatusRuntime,
  circuits: () => readonly Circuit[] = () => [],
): StatusSource {
  let scale: Scale | undefined;
  let latest: Latest | undefined;
  let pending: ReadonlyMap<string, number | null> = new Map();
  return {
    total: () => statusCount(runtime),
    scale: () => scale,
    latest: () => latest,
    pendingSeconds: ({ handler_name, stream_category }) =>
      pending.get(keyOf(handler_name, stream_category)) ?? null,
    collect: async () => {
      const rows = await collectStatus(runtime);
      const ages = new Map<StatusRow, number | null>();
      const waits = new Map<StatusRow, AgesInSeconds>();
      let peers: Latest["peers"];
      scale = await scaleOf(runtime, rows, {
        age: (row, seconds, each) => {
          ages.set(row, seconds);
          waits.set(row, each);
        },
        peers: (all) => peers = all,
      });
      latest = { rows, ages, peers, at: runtime.clock.monotonic() };
      const states = new Map(
        circuits().map((circuit) => [keyOf(circuit.handler, circuit.category), circuit.breaker]),
      );
      pending = new Map(rows.map((row) => [
        keyOf(row.handler_name, row.stream_category),
        isWhole(row) ? row.oldest_pending_seconds ?? waits.get(row)?.pending ?? null : null,
      ]));
      return rows.map((row) => {
        const lag_seconds = isWhole(row) ? row.lag_seconds ?? waits.get(row)?.undelivered ?? null : null;
        return probeRow({ ...row, lag_seconds }, states.get(keyOf(row.handler_name, row.stream_category)));
      });
    },
  };
}

/** Of every key of a parted category together nobody knows how long they have waited. */
function isWhole({ partitions }: StatusRow): boolean {
  return partitions === undefined;
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
