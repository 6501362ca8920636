/**
 * Names of those that hold something in a SQLite file, a lock or shards of an outbox, and whether one is
 * gone.
 *
 * @module
 */
import type { ProcessIdentity } from "./process_identity.ts";

/**
 * Holders of this instance of the server that have not let go. One that has, but could not write it down, is
 * gone too.
 */
const living = new Set<string>();
const instance = crypto.randomUUID();
let holders = 0;

/** A name for one holder, unlike that of every other. */
export function newHolder(owner: string): string {
  const holder = `${owner}/${instance}/${++holders}`;
  living.add(holder);
  return holder;
}

/** Whatever becomes of its rows: the holder holds nothing any more. */
export function letGo(holder: string): void {
  living.delete(holder);
}

/**
 * Whether the holder that a row names is gone: it has let go, its process is dead, or it has not been heard
 * of for `keptMs`. `now` is epoch ms, as are the rows' `refreshed_at`.
 */
export function isGone(
  row: Readonly<Record<string, unknown>>,
  { now, keptMs }: { readonly now: number; readonly keptMs: number },
  isDead: (identity: ProcessIdentity) => boolean,
): boolean {
  if (Number(row["refreshed_at"]) + keptMs <= now) return true;
  const holder = String(row["holder"]);
  if (holder.includes(`/${instance}/`)) return !living.has(holder);
  return isDead({ pid: Number(row["pid"]), startedAt: String(row["started_at"]) });
}
