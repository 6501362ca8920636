/**
 * Rows of `protean_outbox`: written with the change they tell of, claimed in order, settled (wire 3.2 to 3.6,
 * delivery 9). Every function runs inside a transaction or on the reading connection of its caller.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { OutboxInsert, OutboxOutcome, OutboxRow } from "../../ports.ts";
import { statement } from "../file/statements.ts";

const ACTIVE = "status IN ('pending', 'processing', 'failed')";
const SHORT = "seq, message_id, stream_name, type, priority, retry_count, created_at, partition_key";

/**
 * A row may be claimed when it is due and no earlier row of its stream waits for its retry: a failed row
 * holds back its own stream, and no other (delivery 9). `:anyWaits` says whether any failed row waits: where
 * none does, which is nearly always, the index alone answers and no row is read. One that failed in the
 * future, as of now, is due: the clock was set back since, by what might be a month (D25).
 */
const DUE = `${ACTIVE}
  AND (status <> 'failed' OR next_retry_at <= :now OR (:anyWaits AND (
    SELECT own.last_processed_at FROM protean_outbox AS own WHERE own.seq = protean_outbox.seq) > :ahead))
  AND (NOT :anyWaits OR NOT EXISTS (SELECT 1 FROM protean_outbox AS held WHERE held.target_broker = :broker
    AND held.stream_name = protean_outbox.stream_name AND held.seq < protean_outbox.seq
    AND held.status = 'failed' AND held.next_retry_at > :now AND held.last_processed_at <= :ahead))`;
/** More than the clocks of those who share the file differ by, in ms. */
const AHEAD_MS = 1_000;

const UNLOCKED = "locked_by = NULL, locked_until = NULL, last_processed_at = :now";
const MINE = "status = 'processing' AND locked_by = :holder";

/** Writes a pending row; nothing when this message is in the outbox for that broker already. */
export function insertOutboxRow(db: DatabaseSync, row: OutboxInsert, now: string): void {
  statement(
    db,
    `INSERT INTO protean_outbox (message_id, stream_name, type, shard, target_broker, priority, created_at,
      correlation_id, causation_id, partition_key, data, metadata_) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (message_id, target_broker) DO NOTHING`,
  ).run(
    row.messageId,
    row.streamName,
    row.type,
    row.shard,
    row.targetBroker,
    row.priority,
    now,
    row.correlationId,
    row.causationId,
    row.partitionKey ?? null,
    row.data,
    row.metadata,
  );
}

/** Where rows are looked for, and for whom. */
export interface Wanted {
  readonly broker: string;
  readonly shards: readonly number[];
  /** Rows that this holder is processing already are left out. */
  readonly holder: string;
  /** ISO. */
  readonly now: string;
}

/** The lowest `seq`s to be claimed by `holder`, in order: not the rows that it is processing already. */
export function nextRows(
  db: DatabaseSync,
  { broker, shards, holder, now }: Wanted,
  limit: number,
): readonly number[] {
  const ahead = new Date(Date.parse(now) + AHEAD_MS).toISOString();
  const wanted = { broker, holder, now, ahead, anyWaits: anyWaits(db, broker, now) };
  // Most shards have nothing most of the time, and to ask whether is far cheaper than to merge their scans.
  const due = statement(
    db,
    `SELECT value AS due FROM json_each(:shards) WHERE EXISTS (${rowsOf("value")}) ORDER BY value`,
  ).all({ ...wanted, shards: JSON.stringify(shards) }).map((row) => Number(row.due));
  if (due.length === 0) return [];
  // One ordered scan per shard, merged: SQLite reads no further than the limit, however long the backlog is.
  const scans = due.map((_, index) => rowsOf(`:shard${index}`));
  const values = Object.fromEntries(due.map((shard, index) => [`shard${index}`, shard]));
  return statement(db, `${scans.join(" UNION ALL ")} ORDER BY seq LIMIT :limit`)
    .all({ ...wanted, limit, ...values }).map((row) => Number(row.seq));
}

/** Rows of one shard that may be claimed; `shard` is an expression. */
function rowsOf(shard: string): string {
  return `SELECT seq FROM protean_outbox INDEXED BY protean_outbox_active
    WHERE target_broker = :broker AND shard = ${shard} AND ${DUE} AND NOT (${MINE})`;
}

/** Whether a failed row of the broker waits for its retry: 1 or 0. */
function anyWaits(db: DatabaseSync, broker: string, now: string): number {
  const sql = `SELECT 1 FROM protean_outbox INDEXED BY protean_outbox_failed
    WHERE target_broker = ? AND status = 'failed' AND next_retry_at > ? LIMIT 1`;
  return statement(db, sql).get(broker, now) ? 1 : 0;
}

/**
 * Marks the rows `processing` and returns them in order of `seq`; without those of shards that are not the
 * holder's (any more).
 */
export function takeRows(
  db: DatabaseSync,
  { seqs, shards, holder, until, now }: {
    readonly seqs: readonly number[];
    readonly shards: readonly number[];
    readonly holder: string;
    readonly until: string;
    readonly now: string;
  },
): readonly OutboxRow[] {
  const taken = statement(
    db,
    `UPDATE protean_outbox SET status = 'processing', locked_by = :holder, locked_until = :until, last_processed_at = :now
      WHERE seq IN (SELECT value FROM json_each(:seqs)) AND shard IN (SELECT value FROM json_each(:shards))
        AND ${ACTIVE} AND NOT (${MINE})
      RETURNING ${SHORT}, data, metadata_`,
  ).all({ holder, until, now, seqs: JSON.stringify(seqs), shards: JSON.stringify(shards) });
  return taken.sort((a, b) => Number(a.seq) - Number(b.seq)).map(asRow);
}

/**
 * Writes down what became of rows that `holder` has claimed; rows that another has retaken meanwhile are left
 * alone. `kept`: the time of what retention counts from, which no clock that is set back makes earlier. Both
 * ISO.
 */
export function settleRows(
  db: DatabaseSync,
  outcomes: readonly OutboxOutcome[],
  holder: string,
  { now, kept }: { readonly now: string; readonly kept: string },
): void {
  const published: number[] = [];
  const held: number[] = [];
  for (const outcome of outcomes) {
    if (outcome.status === "published") published.push(Number(outcome.id));
    else if (outcome.status === "held") held.push(Number(outcome.id));
    else settleFailure(db, outcome, holder, outcome.status === "failed" ? now : kept);
  }
  if (published.length > 0) {
    const set =
      `status = 'published', published_at = :now, last_error = NULL, next_retry_at = NULL, ${UNLOCKED}`;
    updateMany(db, set, published, holder, kept);
  }
  if (held.length > 0) updateMany(db, `status = 'pending', ${UNLOCKED}`, held, holder, now);
}

function updateMany(
  db: DatabaseSync,
  set: string,
  seqs: readonly number[],
  holder: string,
  now: string,
): void {
  statement(
    db,
    `UPDATE protean_outbox SET ${set} WHERE ${MINE} AND seq IN (SELECT value FROM json_each(:seqs))`,
  ).run({ now, holder, seqs: JSON.stringify(seqs) });
}

/** One more attempt is counted, where it counts; `last_error` is JSON as in wire 3.6. */
function settleFailure(
  db: DatabaseSync,
  outcome: Extract<OutboxOutcome, { error: string }>,
  holder: string,
  now: string,
): void {
  const failed = outcome.status === "failed";
  const error = {
    message: outcome.error,
    failed_at: now,
    ...(failed ? {} : { reason: "Max retries exceeded" }),
  };
  statement(
    db,
    `UPDATE protean_outbox SET status = :status, ${UNLOCKED}, retry_count = retry_count + :counted, next_retry_at = :retryAt,
      last_error = json_set(:error, '$.retry_count', retry_count + :counted) WHERE ${MINE} AND seq = :seq`,
  ).run({
    now,
    holder,
    status: outcome.status,
    counted: outcome.status === "failed" && outcome.uncounted ? 0 : 1,
    retryAt: failed ? new Date(outcome.retryAt).toISOString() : null,
    error: JSON.stringify(error),
    seq: Number(outcome.id),
  });
}

function asRow(row: Record<string, unknown>): OutboxRow {
  return {
    id: String(row.seq),
    messageId: String(row.message_id),
    streamName: String(row.stream_name),
    type: String(row.type),
    data: String(row.data),
    metadata: String(row.metadata_),
    priority: Number(row.priority),
    ...(row.partition_key !== null && { partitionKey: String(row.partition_key) }),
    retryCount: Number(row.retry_count),
    createdAt: Date.parse(String(row.created_at)),
  };
}
