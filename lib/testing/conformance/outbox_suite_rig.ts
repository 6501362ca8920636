/**
 * Short forms of the outbox rules.
 *
 * @module
 */
import type {
  BaseProvider,
  OutboxInsert,
  OutboxLease,
  OutboxOutcome,
  OutboxRow,
} from "../../adapters/ports.ts";
import { outboxInsert } from "./provider_suite_rig.ts";

/** A lease with its share of the shards. */
export function leaseOf(
  provider: BaseProvider,
  options: { readonly broker?: string; readonly owner?: string } = {},
): Promise<OutboxLease> {
  return provider.outbox.lease({ broker: "default", owner: "w1", ...options });
}

/**
 * Claims everything with a lease of its own that is released afterwards; unsettled rows stay `processing`.
 */
export async function claimAll(provider: BaseProvider, broker = "default"): Promise<readonly OutboxRow[]> {
  const lease = await provider.outbox.lease({ broker, owner: "w1" });
  const rows = await lease.claim(10_000);
  await lease.release();
  return rows;
}

/** Claims everything and settles every row with what `outcome` says. */
export async function settleAll(
  provider: BaseProvider,
  outcome: (row: OutboxRow) => OutboxOutcome,
): Promise<void> {
  const lease = await leaseOf(provider);
  const rows = await lease.claim(10_000);
  await lease.settle(rows.map(outcome));
  await lease.release();
}

export function published({ id }: Pick<OutboxRow, "id">): OutboxOutcome {
  return { id, status: "published" };
}

/** Message ids, which the rules choose. */
export function names(rows: readonly { readonly messageId: string }[]): string[] {
  return rows.map(({ messageId }) => messageId);
}

/** One row of `shop::order-<stream>` for each name. */
export function inserts(stream: string, ...messageIds: string[]): OutboxInsert[] {
  return messageIds.map((messageId) => outboxInsert(`shop::order-${stream}`, { messageId }));
}
