/**
 * Who holds which shard of the outbox (delivery 9). A shard is free when nobody holds it, when its holder is
 * known to be gone, or when the holder has not been heard of for `LEASE_MS`.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { allShards, fairShare } from "../../outbox_share.ts";
import { OUTBOX_SHARDS } from "../../ports.ts";
import { isGone } from "../file/holders.ts";
import { selfIdentity, vitalityAmong } from "../file/process_identity.ts";
import type { Look } from "../file/silence.ts";
import { statement } from "../file/statements.ts";

/** A living holder keeps a shard this long after its last claim or settlement, in ms. */
export const LEASE_MS = 60_000;

/**
 * Numbers of shards that there are not: each lease has one of them besides its shards, so that the others can
 * count it, and loses it as it would lose a shard.
 */
const SEATS = OUTBOX_SHARDS;

/** Writes down, in a transaction that has just seen them free, that `holder` has the shards. */
export function takeShards(
  db: DatabaseSync,
  broker: string,
  shards: readonly number[],
  holder: string,
  now: number,
): void {
  const { pid, startedAt } = selfIdentity(db);
  const take = statement(
    db,
    `INSERT OR REPLACE INTO protean_outbox_lease (target_broker, shard, holder, pid, started_at, refreshed_at)
      VALUES (?, ?, ?, ?, ?, ?)`,
  );
  for (const shard of shards) take.run(broker, shard, holder, pid, startedAt, now);
}

/** Gives the holder the first free seat. */
export function takeSeat(db: DatabaseSync, broker: string, holder: string, look: Look): void {
  const taken = livingRows(db, broker, look).map(({ shard }) => shard);
  let seat = SEATS;
  while (taken.includes(seat)) seat++;
  takeShards(db, broker, [seat], holder, look.now);
}

/** What a lease has to let go, and what is free for it, so that it has its share. */
export function shareOf(db: DatabaseSync, broker: string, holder: string, look: Look): {
  /** False: it was silent for so long that another has its seat. */
  readonly seated: boolean;
  readonly surplus: readonly number[];
  readonly room: readonly number[];
} {
  const rows = livingRows(db, broker, look);
  const mine = rows.filter((row) => row.holder === holder).map(({ shard }) => shard);
  const held = mine.filter((shard) => shard < SEATS);
  const fair = fairShare(rows.filter(({ shard }) => shard >= SEATS).length);
  const free = allShards.filter((shard) => !rows.some((row) => row.shard === shard));
  return {
    seated: mine.length > held.length,
    surplus: held.slice(fair),
    room: free.slice(0, Math.max(0, fair - held.length)),
  };
}

/** Still here; returns the shards that the holder still has. */
export function refreshShards(db: DatabaseSync, holder: string, now: number): readonly number[] {
  selfIdentity(db);
  return statement(
    db,
    "UPDATE protean_outbox_lease SET refreshed_at = ? WHERE holder = ? RETURNING shard",
  ).all(now, holder).map((row) => Number(row.shard)).filter((shard) => shard < SEATS);
}

/** Lets some shards of the holder go, or all of them and its seat. */
export function dropShards(db: DatabaseSync, holder: string, shards?: readonly number[]): void {
  if (shards === undefined) {
    statement(db, "DELETE FROM protean_outbox_lease WHERE holder = ?").run(holder);
    return;
  }
  const drop = statement(db, "DELETE FROM protean_outbox_lease WHERE holder = ? AND shard = ?");
  for (const shard of shards) drop.run(holder, shard);
}

/** Shards and seats of a broker's rows in the hands of somebody who is not known to be gone. */
function livingRows(
  db: DatabaseSync,
  broker: string,
  look: Look,
): readonly { readonly shard: number; readonly holder: string }[] {
  const held = statement(
    db,
    "SELECT shard, holder, pid, started_at, refreshed_at FROM protean_outbox_lease WHERE target_broker = ?",
  ).all(broker);
  const vitality = vitalityAmong(db);
  return held.filter((row) => !isGone(row, { look, keptMs: LEASE_MS }, vitality)).map((row) => ({
    shard: Number(row.shard),
    holder: String(row.holder),
  }));
}
