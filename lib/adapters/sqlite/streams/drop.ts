/**
 * Removing many entries: in small transactions with room for others between them, so that the event loop
 * never stops for long.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { turn } from "../../../async/turn.ts";
import { compareStreamIds, type StreamId } from "../../stream_id.ts";
import { TRIM_LIMIT } from "../../stream_rules.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { statement } from "../file/statements.ts";
import { findStream } from "./rows.ts";

/** Entries that one transaction removes: a few milliseconds. */
const STEP = 1000;

const NEEDS = `SELECT g.last_ms, g.last_n,
    (SELECT ms FROM protean_stream_pending WHERE grp = g.id ORDER BY ms, n LIMIT 1) AS first_ms,
    (SELECT n FROM protean_stream_pending WHERE grp = g.id ORDER BY ms, n LIMIT 1) AS first_n
  FROM protean_stream_group g WHERE g.stream = ?`;
const TRIM = `DELETE FROM protean_stream_entry WHERE seq IN (
  SELECT seq FROM protean_stream_entry WHERE stream = ? AND (ms, n) < (?, ?) ORDER BY ms, n LIMIT ?)`;
const SHRINK = "UPDATE protean_stream SET length = length - ? WHERE id = ?";
const FORGET_PENDING = `DELETE FROM protean_stream_pending
  WHERE grp IN (SELECT id FROM protean_stream_group WHERE stream = ?)`;
const FORGET_CONSUMERS = `DELETE FROM protean_stream_consumer
  WHERE grp IN (SELECT id FROM protean_stream_group WHERE stream = ?)`;
const FORGET_GROUPS = "DELETE FROM protean_stream_group WHERE stream = ?";
const UNNAME = "UPDATE protean_stream SET name = NULL WHERE id = ?";
const NAMELESS = "SELECT id FROM protean_stream WHERE name IS NULL LIMIT 1";
const EMPTY = `DELETE FROM protean_stream_entry WHERE seq IN (
  SELECT seq FROM protean_stream_entry WHERE stream = ? LIMIT ?)`;
const FORGET_STREAM = "DELETE FROM protean_stream WHERE id = ?";

/**
 * Drops the oldest entries beyond `maxLength` that every group is done with, at most `TRIM_LIMIT`; returns
 * how many.
 */
export async function trim(database: DatabaseFile, stream: string, maxLength: number): Promise<number> {
  let trimmed = 0;
  while (trimmed < TRIM_LIMIT) {
    const longer = await database.read((db) => (findStream(db, stream)?.length ?? 0) > maxLength);
    if (!longer) break;
    const step = await database.write((db) => trimStep(db, stream, maxLength));
    trimmed += step;
    if (step < STEP) break;
    await turn();
  }
  return trimmed;
}

function trimStep(db: DatabaseSync, stream: string, maxLength: number): number {
  const row = findStream(db, stream);
  const lowest = row && lowestNeeded(db, row.id);
  const surplus = Math.min((row?.length ?? 0) - maxLength, STEP);
  if (!lowest || surplus <= 0) return 0;
  return dropOldest(db, row.id, lowest, surplus);
}

/** Drops the oldest entries before `limit`, at most `count`; returns how many. */
export function dropOldest(db: DatabaseSync, stream: number, limit: StreamId, count: number): number {
  const dropped = Number(statement(db, TRIM).run(stream, limit.ms, limit.n, count).changes);
  statement(db, SHRINK).run(dropped, stream);
  return dropped;
}

/**
 * Over all groups, the first pending id or the one after the last delivered (delivery 8); undefined without
 * groups.
 */
function lowestNeeded(db: DatabaseSync, stream: number): StreamId | undefined {
  const rows = statement(db, NEEDS).all(stream) as unknown as readonly {
    readonly last_ms: number;
    readonly last_n: number;
    readonly first_ms: number | null;
    readonly first_n: number | null;
  }[];
  return rows.map(({ last_ms, last_n, first_ms, first_n }) =>
    first_ms === null || first_n === null ? { ms: last_ms, n: last_n + 1 } : { ms: first_ms, n: first_n }
  ).sort(compareStreamIds)[0];
}

/**
 * Takes the stream away with its groups, in the caller's transaction; returns how many entries it had. The
 * entries stay behind without a name until `collectDropped` removes them, also after a crash.
 */
export function dropStream(db: DatabaseSync, stream: string): number {
  const row = findStream(db, stream);
  if (!row) return 0;
  for (const sql of [FORGET_PENDING, FORGET_CONSUMERS, FORGET_GROUPS]) statement(db, sql).run(row.id);
  statement(db, row.length === 0 ? FORGET_STREAM : UNNAME).run(row.id);
  return row.length;
}

/** Removes the entries of dropped streams. */
export async function collectDropped(database: DatabaseFile): Promise<void> {
  while (await database.read((db) => statement(db, NAMELESS).get() !== undefined)) {
    await database.write((db) => {
      const row = statement(db, NAMELESS).get();
      if (!row) return;
      const id = Number(row.id);
      if (Number(statement(db, EMPTY).run(id, STEP).changes) < STEP) statement(db, FORGET_STREAM).run(id);
    });
    await turn();
  }
}
