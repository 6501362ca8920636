/**
 * Names of those that hold something in a SQLite file, a lock or shards of an outbox, and whether one is
 * gone.
 *
 * @module
 */
import type { ProcessIdentity } from "./process_identity.ts";
import type { Look, Vitality } from "./silence.ts";

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
 * of for `keptMs`. The rows' `refreshed_at` are epoch ms.
 */
export function isGone(
  row: Readonly<Record<string, unknown>>,
  { look, keptMs }: { readonly look: Look; readonly keptMs: number },
  vitality: (identity: ProcessIdentity) => Vitality,
): boolean {
  const holder = String(row["holder"]);
  const ours = holder.includes(`/${instance}/`);
  if (ours && !living.has(holder)) return true;
  const identity = { pid: Number(row["pid"]), startedAt: String(row["started_at"]) };
  return look.isSilent(Number(row["refreshed_at"]), keptMs, ours ? "alive" : vitality(identity));
}
