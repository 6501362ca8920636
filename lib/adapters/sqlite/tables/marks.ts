/**
 * Idempotency marks: one row for every effect that is committed (PIPE-13, delivery 10 and 16).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import {
  duplicateMessage,
  isOtherMessage,
  type Mark,
  type MarkOutcome,
  requireSameMessage,
} from "../../ports.ts";
import { statement } from "../file/statements.ts";

/**
 * Whether the effect is committed (or written in this transaction) already. Throws `MessageConflictError`
 * when it is another message's.
 */
export function isMarked(db: DatabaseSync, mark: Mark): boolean {
  const kept = keptMark(db, mark);
  if (!kept) return false;
  requireSameMessage(mark, kept.checksum);
  return true;
}

/** What a session may do with a mark; `own` is the one of that name which it has already. */
export function markOutcome(db: DatabaseSync, mark: Mark, own: Mark | undefined): MarkOutcome {
  const kept = own ?? keptMark(db, mark);
  if (!kept) return "claimed";
  return isOtherMessage(mark, kept.checksum) ? "conflict" : "handled";
}

function keptMark(db: DatabaseSync, mark: Mark): { readonly checksum?: unknown } | undefined {
  const sql = "SELECT checksum FROM protean_processed WHERE handler = ? AND type = ? AND message_id = ?";
  return statement(db, sql).get(mark.handler, mark.type, mark.messageId);
}

/**
 * Writes a mark inside the transaction. Throws `DuplicateMessageError` when another has committed it, or
 * `MessageConflictError`.
 */
export function writeMark(db: DatabaseSync, mark: Mark, now: string): void {
  const { changes } = statement(
    db,
    `INSERT INTO protean_processed (handler, type, message_id, processed_at, checksum) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`,
  ).run(mark.handler, mark.type, mark.messageId, now, mark.checksum ?? null);
  if (Number(changes) > 0) return;
  isMarked(db, mark);
  throw duplicateMessage(mark);
}

/** When the last mark was written, ISO; and the first that is there. */
export function markTimes(
  db: DatabaseSync,
): { readonly first: string | undefined; readonly last: string | undefined } {
  const end = (order: "ASC" | "DESC") => {
    const row = statement(db, `SELECT processed_at FROM protean_processed ORDER BY mark ${order} LIMIT 1`)
      .get();
    return row && String(row.processed_at);
  };
  return { first: end("ASC"), last: end("DESC") };
}

/** Deletes marks older than `before`, the oldest first, at most `limit`; returns how many. */
export function deleteMarks(db: DatabaseSync, before: string, limit: number): number {
  // Read in order of insertion, so that it stops at the first mark that stays instead of looking at all of
  // them.
  let last: number | undefined;
  const oldest = statement(db, "SELECT mark, processed_at FROM protean_processed ORDER BY mark LIMIT ?");
  for (const row of oldest.all(limit)) {
    if (String(row.processed_at) >= before) break;
    last = Number(row.mark);
  }
  if (last === undefined) return 0;
  return Number(statement(db, "DELETE FROM protean_processed WHERE mark <= ?").run(last).changes);
}
