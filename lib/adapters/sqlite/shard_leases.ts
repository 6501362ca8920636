/**
 * Who holds which shard of the outbox (delivery 9). A shard is free when nobody holds it, when its holder is known to be
 * gone, or when the holder has not been heard of for `LEASE_MS`.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { OUTBOX_SHARDS } from "../ports.ts";
import { isDead, selfIdentity } from "./process_identity.ts";
import { statement } from "./statements.ts";

/** A living holder keeps a shard this long after its last claim or settlement, in ms. */
export const LEASE_MS = 60_000;

/** Holders of this instance of the server that have not let go. One that has, but could not write it down, is gone too. */
const living = new Set<string>();
const instance = crypto.randomUUID();
let holders = 0;

/** A name for one lease, unlike that of every other. */
export function newHolder(owner: string): string {
  const holder = `${owner}/${instance}/${++holders}`;
  living.add(holder);
  return holder;
}

/** Whatever becomes of its rows in the table: the holder holds nothing any more. */
export function letGo(holder: string): void {
  living.delete(holder);
}

/** The shards of a broker's rows that nobody holds, ascending. */
export function freeShards(db: DatabaseSync, broker: string, now: number): readonly number[] {
  const held = statement(
    db,
    "SELECT shard, holder, pid, started_at, refreshed_at FROM protean_outbox_lease WHERE target_broker = ?",
  ).all(broker);
  const lost = lostHolders(db, now);
  const kept = held.filter((row) => !lost(row)).map((row) => Number(row.shard));
  return Array.from({ length: OUTBOX_SHARDS }, (_, shard) => shard).filter((shard) => !kept.includes(shard));
}

/** Writes down, in a transaction that has just seen them free, that `holder` has the shards. */
export function takeShards(
  db: DatabaseSync,
  broker: string,
  shards: readonly number[],
  holder: string,
  now: number,
): void {
  const { pid, startedAt } = selfIdentity(db);
  const take = statement(db, "INSERT OR REPLACE INTO protean_outbox_lease VALUES (?, ?, ?, ?, ?, ?)");
  for (const shard of shards) take.run(broker, shard, holder, pid, startedAt, now);
}

/** Still here; answers the shards that the holder still has. */
export function refreshShards(db: DatabaseSync, holder: string, now: number): readonly number[] {
  return statement(
    db,
    "UPDATE protean_outbox_lease SET refreshed_at = ? WHERE holder = ? RETURNING shard",
  ).all(now, holder).map((row) => Number(row.shard));
}

/** Lets all shards of the holder go. */
export function dropShards(db: DatabaseSync, holder: string): void {
  statement(db, "DELETE FROM protean_outbox_lease WHERE holder = ?").run(holder);
}

/** Asks the system once per process, not once per shard. */
function lostHolders(db: DatabaseSync, now: number): (row: Record<string, unknown>) => boolean {
  const dead = new Map<string, boolean>();
  return (row) => {
    if (Number(row.refreshed_at) + LEASE_MS <= now) return true;
    const holder = String(row.holder);
    if (holder.includes(`/${instance}/`)) return !living.has(holder);
    const identity = { pid: Number(row.pid), startedAt: String(row.started_at) };
    const key = `${identity.pid} ${identity.startedAt}`;
    const known = dead.get(key) ?? isDead(db, identity);
    dead.set(key, known);
    return known;
  };
}
