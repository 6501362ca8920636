/**
 * What operators ask of a group, and how they remove one. Every function runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { GroupAges } from "../../ports.ts";
import { statement } from "../file/statements.ts";
import { findGroup } from "./group_rows.ts";

const AGES = `SELECT
    (SELECT ms FROM protean_stream_entry WHERE stream = g.stream AND (ms, n) > (g.last_ms, g.last_n)
      ORDER BY ms, n LIMIT 1) AS undelivered,
    (SELECT ms FROM protean_stream_pending WHERE grp = g.id ORDER BY ms, n LIMIT 1) AS pending
  FROM protean_stream_group g WHERE g.id = ?`;
const FORGET = [
  "DELETE FROM protean_stream_pending WHERE grp = ?",
  "DELETE FROM protean_stream_consumer WHERE grp = ?",
  "DELETE FROM protean_stream_group WHERE id = ?",
];

/** Undefined: there is no such group. */
export function groupAges(db: DatabaseSync, stream: string, name: string): GroupAges | undefined {
  const group = findGroup(db, stream, name);
  const row = group && statement(db, AGES).get(group.id);
  return row && { undeliveredSince: epochMs(row["undelivered"]), pendingSince: epochMs(row["pending"]) };
}

/** False: there was no such group. */
export function dropGroup(db: DatabaseSync, stream: string, name: string): boolean {
  const group = findGroup(db, stream, name);
  if (!group) return false;
  for (const sql of FORGET) statement(db, sql).run(group.id);
  return true;
}

function epochMs(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
