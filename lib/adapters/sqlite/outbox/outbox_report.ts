/**
 * What operators see of the outbox and do to it: counts, listings, requeueing, cleaning (OBX-4, OBX-5; wire
 * 3.7, 3.9).
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { OutboxBacklog, OutboxListing, OutboxStats, OutboxStatus, OutboxWaiting } from "../../ports.ts";
import { backlogOf } from "../../outbox_backlog.ts";
import { allShards } from "../../outbox_share.ts";
import { statement } from "../file/statements.ts";
import { nextRows } from "./outbox_rows.ts";

const LISTED =
  "seq, message_id, stream_name, type, status, target_broker, retry_count, last_error, created_at";

/** Rows by status. Reads the partial indexes alone, so that it stays cheap beside a long history. */
export function outboxStats(db: DatabaseSync): OutboxStats {
  const active = statement(
    db,
    `SELECT count(*) AS rows, sum(status = 'processing') AS processing, sum(status = 'failed') AS failed,
      min(seq) AS first FROM protean_outbox INDEXED BY protean_outbox_active
      WHERE status IN ('pending', 'processing', 'failed')`,
  ).get() ?? {};
  const done = statement(
    db,
    `SELECT status, count(*) AS rows FROM protean_outbox INDEXED BY protean_outbox_done
      WHERE status IN ('published', 'abandoned') GROUP BY status`,
  ).all();
  const ended = (status: OutboxStatus) => Number(done.find((row) => row.status === status)?.rows ?? 0);
  const [rows, processing, failed] = [Number(active.rows), Number(active.processing), Number(active.failed)];
  return {
    counts: {
      pending: rows - processing - failed,
      processing,
      published: ended("published"),
      failed,
      abandoned: ended("abandoned"),
    },
    oldest: createdAt(db, active.first),
  };
}

/** Those of the messages that have a row for the broker. */
export function presentRows(db: DatabaseSync, ids: readonly string[], broker: string): readonly string[] {
  return statement(
    db,
    `SELECT message_id FROM protean_outbox
      WHERE target_broker = ? AND message_id IN (SELECT value FROM json_each(?))`,
  ).all(broker, JSON.stringify(ids)).map((row) => String(row.message_id));
}

/** What of one broker is not published: from the index of what waits, and the few rows that were given up. */
export function outboxBacklog(db: DatabaseSync, broker: string): OutboxBacklog {
  const counted = statement(
    db,
    `SELECT status, count(*) AS rows FROM protean_outbox INDEXED BY protean_outbox_active
      WHERE target_broker = :broker AND status IN ('pending', 'processing', 'failed') GROUP BY status
    UNION ALL SELECT status, count(*) FROM protean_outbox INDEXED BY protean_outbox_done
      WHERE status = 'abandoned' AND status IN ('published', 'abandoned') AND target_broker = :broker GROUP BY status`,
  ).all({ broker });
  return backlogOf(counted);
}

/** Nobody's name: every row is another's. */
const NOBODY = "";

/** The first due row of a broker, whoever is processing it; `now` is epoch ms. */
export function oldestDue(db: DatabaseSync, broker: string, now: number): OutboxWaiting | undefined {
  const wanted = { broker, shards: allShards, holder: NOBODY, now: new Date(now).toISOString() };
  const [seq] = nextRows(db, wanted, 1);
  const created = createdAt(db, seq);
  if (seq === undefined || created === undefined) return undefined;
  return { id: String(seq), waitedMs: Math.max(0, now - created) };
}

/** Rows in order of `seq`. */
export function listOutbox(
  db: DatabaseSync,
  options: { readonly status?: OutboxStatus; readonly limit: number },
): readonly OutboxListing[] {
  const { status, limit } = options;
  const rows = status === undefined
    ? statement(db, `SELECT ${LISTED} FROM protean_outbox ORDER BY seq LIMIT ?`).all(limit)
    : statement(db, `SELECT ${LISTED} FROM protean_outbox WHERE status = ? ORDER BY seq LIMIT ?`)
      .all(status, limit);
  return rows.map((row) => ({
    id: String(row.seq),
    messageId: String(row.message_id),
    streamName: String(row.stream_name),
    type: String(row.type),
    status: row.status as OutboxStatus,
    targetBroker: String(row.target_broker),
    retryCount: Number(row.retry_count),
    lastError: row.last_error === null ? undefined : String(JSON.parse(String(row.last_error)).message),
    createdAt: Date.parse(String(row.created_at)),
  }));
}

/** Abandoned and failed rows become pending with no attempt counted; returns how many. */
export function requeueRows(db: DatabaseSync, ids: readonly string[] | undefined): number {
  const set = "status = 'pending', retry_count = 0, next_retry_at = NULL, last_error = NULL";
  const revived = "status IN ('abandoned', 'failed')";
  const result = ids === undefined
    ? statement(db, `UPDATE protean_outbox SET ${set} WHERE ${revived}`).run()
    : statement(
      db,
      `UPDATE protean_outbox SET ${set} WHERE ${revived} AND seq IN (SELECT value FROM json_each(?))`,
    ).run(JSON.stringify(ids.filter((id) => /^\d+$/.test(id)).map(Number)));
  return Number(result.changes);
}

/**
 * Deletes what was published or abandoned before those times, the oldest first, at most `limit`; returns how
 * many.
 */
export function cleanOutbox(
  db: DatabaseSync,
  options: { readonly publishedBefore: string; readonly abandonedBefore: string; readonly limit: number },
): number {
  const remove = (status: OutboxStatus, before: string, limit: number) =>
    Number(
      statement(
        db,
        `DELETE FROM protean_outbox WHERE seq IN (SELECT seq FROM protean_outbox INDEXED BY protean_outbox_done
          WHERE status = ? AND status IN ('published', 'abandoned') AND last_processed_at < ?
          ORDER BY last_processed_at LIMIT ?)`,
      ).run(status, before, limit).changes,
    );
  const published = remove("published", options.publishedBefore, options.limit);
  return published + remove("abandoned", options.abandonedBefore, options.limit - published);
}

/** Epoch ms of the first row that is kept in this status for its time. */
export function firstProcessed(db: DatabaseSync, status: "published" | "abandoned"): number | undefined {
  const row = statement(
    db,
    `SELECT min(last_processed_at) AS first FROM protean_outbox INDEXED BY protean_outbox_done
      WHERE status = ? AND status IN ('published', 'abandoned')`,
  ).get(status);
  return typeof row?.first === "string" ? Date.parse(row.first) : undefined;
}

/** When the last row was published, ISO. */
export function lastProcessed(db: DatabaseSync): string | undefined {
  const row = statement(
    db,
    `SELECT max(last_processed_at) AS last FROM protean_outbox INDEXED BY protean_outbox_done
      WHERE status = 'published' AND status IN ('published', 'abandoned')`,
  ).get();
  return typeof row?.last === "string" ? row.last : undefined;
}

/** Epoch ms of the next retry for the broker in those shards that is due after `after` (ISO). */
export function nextRetry(
  db: DatabaseSync,
  broker: string,
  among: { readonly after: string; readonly shards: readonly number[] },
): number | undefined {
  const row = statement(
    db,
    `SELECT min(next_retry_at) AS due FROM protean_outbox INDEXED BY protean_outbox_failed
      WHERE target_broker = :broker AND status = 'failed' AND next_retry_at > :after
        AND shard IN (SELECT value FROM json_each(:shards))`,
  ).get({ broker, after: among.after, shards: JSON.stringify(among.shards) });
  return typeof row?.due === "string" ? Date.parse(row.due) : undefined;
}

function createdAt(db: DatabaseSync, seq: unknown): number | undefined {
  if (typeof seq !== "number") return undefined;
  const row = statement(db, "SELECT created_at FROM protean_outbox WHERE seq = ?").get(seq);
  return row && Date.parse(String(row.created_at));
}
