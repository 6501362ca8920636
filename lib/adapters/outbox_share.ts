/**
 * How the shards of an outbox are divided among the processors that stand for them (delivery 9).
 *
 * @module
 */
import { OUTBOX_SHARDS } from "./ports.ts";

/** Every shard. */
export const allShards: readonly number[] = Array.from({ length: OUTBOX_SHARDS }, (_, shard) => shard);

/** How many shards each of so many leases may have. */
export function fairShare(leases: number): number {
  return Math.ceil(OUTBOX_SHARDS / Math.max(1, leases));
}
