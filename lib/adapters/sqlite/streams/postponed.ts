/**
 * Entries that their handlers want again later (`StreamGroup.postpone`), beside the pending list: version
 * 0.1.0 writes the rows of that by position. Every function runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { creation } from "../../migrations.ts";
import type { Postponed } from "../../ports.ts";
import { parseStreamId, type StreamId } from "../../stream_id.ts";
import { component } from "../file/migrate.ts";
import { statement } from "../file/statements.ts";

/** Longer than anything waits, so that what nobody comes back for goes with a later one. */
const KEPT_MS = 8 * 86_400_000;

export const postponedComponent = component({
  name: "postponed",
  columns: { protean_stream_postponed: ["grp", "ms", "n", "times", "until"] },
  steps: [creation(
    `CREATE TABLE protean_stream_postponed (
  grp integer NOT NULL,
  ms integer NOT NULL,
  n integer NOT NULL,
  times integer NOT NULL,
  until integer NOT NULL,
  PRIMARY KEY (grp, ms, n)
) WITHOUT ROWID, STRICT`,
  )],
});

const KEEP = `INSERT INTO protean_stream_postponed (grp, ms, n, times, until) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (grp, ms, n) DO UPDATE SET times = excluded.times, until = excluded.until`;
const FORGET_OLD = "DELETE FROM protean_stream_postponed WHERE grp = ? AND until < ?";
const FIND = "SELECT times, until FROM protean_stream_postponed WHERE grp = ? AND ms = ? AND n = ?";
const FORGET = "DELETE FROM protean_stream_postponed WHERE grp = ? AND ms = ? AND n = ?";

/** `group`: the row id of the group. `now`: epoch ms, as all times of the file. */
export function keepPostponed(
  db: DatabaseSync,
  group: number,
  { ms, n }: StreamId,
  postponed: Postponed,
  now: number,
): void {
  statement(db, FORGET_OLD).run(group, Math.floor(now - KEPT_MS));
  statement(db, KEEP).run(group, ms, n, postponed.times, Math.ceil(now + postponed.ms));
}

/** Undefined: it was never postponed. */
export function findPostponed(
  db: DatabaseSync,
  group: number,
  { ms, n }: StreamId,
  now: number,
): Postponed | undefined {
  const row = statement(db, FIND).get(group, ms, n);
  return row && { times: Number(row.times), ms: Math.max(0, Number(row.until) - now) };
}

export function forgetPostponed(db: DatabaseSync, group: number, ids: readonly string[]): void {
  for (const id of ids) {
    const key = parseStreamId(id);
    if (key) statement(db, FORGET).run(group, key.ms, key.n);
  }
}
