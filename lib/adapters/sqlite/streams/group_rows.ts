/**
 * Groups, their consumers and their pending lists as rows. Every function runs inside the caller's
 * transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { GroupInfo, TextLimits } from "../../ports.ts";
import { parseStreamId, type StreamId } from "../../stream_id.ts";
import { selfIdentity, vitalityAmong } from "../file/process_identity.ts";
import type { Vitality } from "../file/silence.ts";
import { statement } from "../file/statements.ts";
import { type EntryRow, holdsEntry, openStream } from "./rows.ts";
import { pageOf } from "./texts.ts";

export interface GroupRow {
  readonly id: number;
  /** Row id of its stream. */
  readonly stream: number;
  readonly last_ms: number;
  readonly last_n: number;
}

export interface ConsumerRow {
  readonly id: number;
  readonly name: string;
  readonly pid: number;
  readonly started_at: string;
}

/** In place of the time of an entry that its consumer has given back: anyone may claim it. */
export const RELEASED_AT = -1;

export interface PendingRow {
  readonly consumer: number;
  /** Epoch ms of the last sign of who has it, or `RELEASED_AT`. */
  readonly at: number;
  readonly count: number;
}

const FIND = `SELECT g.id, g.stream, g.last_ms, g.last_n FROM protean_stream_group g
  JOIN protean_stream s ON s.id = g.stream WHERE s.name = ? AND g.name = ?`;
const CREATE = `INSERT INTO protean_stream_group (stream, name, passed)
  SELECT id, ?, added - length FROM protean_stream WHERE id = ?`;
const ENTER = `INSERT INTO protean_stream_consumer (grp, name, pid, started_at, seen_at)
  VALUES (?, ?, ?, ?, ?) ON CONFLICT (grp, name)
  DO UPDATE SET pid = excluded.pid, started_at = excluded.started_at, seen_at = excluded.seen_at
  RETURNING id`;
const CONSUMERS = "SELECT id, name, pid, started_at FROM protean_stream_consumer WHERE grp = ?";
const CONSUMER = "SELECT id FROM protean_stream_consumer WHERE grp = ? AND name = ?";
const DELIVER = `INSERT INTO protean_stream_pending (grp, ms, n, consumer, at, count)
  SELECT ?, ms, n, ?, ?, 1 FROM protean_stream_entry
  WHERE stream = ? AND (ms, n) > (?, ?) AND (ms, n) <= (?, ?) ORDER BY ms, n`;
const ADVANCE = "UPDATE protean_stream_group SET last_ms = ?, last_n = ?, passed = passed + ? WHERE id = ?";
const PENDING = "SELECT consumer, at, count FROM protean_stream_pending WHERE grp = ? AND ms = ? AND n = ?";
const SET_PENDING = `UPDATE protean_stream_pending SET consumer = ?, at = ?, count = ?
  WHERE grp = ? AND ms = ? AND n = ?`;
const KEEP = `UPDATE protean_stream_pending SET at = ? WHERE grp = ? AND consumer = ?
  AND (ms, n) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))
  AND EXISTS (SELECT 1 FROM protean_stream_entry e
    WHERE e.stream = ? AND e.ms = protean_stream_pending.ms AND e.n = protean_stream_pending.n)
  RETURNING ms, n`;
const ACKNOWLEDGE = "DELETE FROM protean_stream_pending WHERE grp = ? AND ms = ? AND n = ?";
const NEWER = "SELECT 1 FROM protean_stream_entry WHERE stream = ? AND (ms, n) > (?, ?) LIMIT 1";
const ANY_PENDING = "SELECT 1 FROM protean_stream_pending WHERE grp = ? LIMIT 1";
const INFO = `SELECT g.name, s.length, s.added - g.passed AS lag, g.last_ms, g.last_n,
    (SELECT count(*) FROM protean_stream_pending WHERE grp = g.id) AS pending,
    (SELECT count(*) FROM protean_stream_consumer WHERE grp = g.id) AS consumers
  FROM protean_stream_group g JOIN protean_stream s ON s.id = g.stream
  WHERE s.name = ? ORDER BY g.name`;

export function findGroup(db: DatabaseSync, stream: string, group: string): GroupRow | undefined {
  return statement(db, FIND).get(stream, group) as unknown as GroupRow | undefined;
}

/** Creates stream and group where missing, from the beginning. True when it created the group. */
export function ensureGroup(db: DatabaseSync, stream: string, group: string): boolean {
  if (findGroup(db, stream, group)) return false;
  statement(db, CREATE).run(group, openStream(db, stream).id);
  return true;
}

/** The figures of every group of a stream. */
export function groupInfos(db: DatabaseSync, stream: string): readonly GroupInfo[] {
  const rows = statement(db, INFO).all(stream) as unknown as readonly {
    readonly name: string;
    readonly length: number;
    readonly lag: number;
    readonly last_ms: number;
    readonly last_n: number;
    readonly pending: number;
    readonly consumers: number;
  }[];
  return rows.map(({ name, length, lag, last_ms, last_n, pending, consumers }) => ({
    group: name,
    length,
    lag,
    pending,
    consumers,
    lastDeliveredId: `${last_ms}-${last_n}`,
  }));
}

/** Registers the consumer as this process's, seen now; returns its row id. */
export function enterConsumer(db: DatabaseSync, group: GroupRow, name: string, now: number): number {
  const { pid, startedAt } = selfIdentity(db);
  return Number(statement(db, ENTER).get(group.id, name, pid, startedAt, now)?.id);
}

export function findConsumer(db: DatabaseSync, group: GroupRow, name: string): number | undefined {
  const row = statement(db, CONSUMER).get(group.id, name);
  return row && Number(row.id);
}

/** The row ids of a group's consumers, by what is known of their processes. */
export interface Vitals {
  /** Whatever they have is free (delivery 14). */
  readonly dead: ReadonlySet<number>;
  readonly alive: ReadonlySet<number>;
}

export function vitalsOf(db: DatabaseSync, group: GroupRow): Vitals {
  const rows = statement(db, CONSUMERS).all(group.id) as unknown as readonly ConsumerRow[];
  const vitality = vitalityAmong(db);
  const asked = rows.map(({ id, pid, started_at }) => ({
    id,
    is: vitality({ pid, startedAt: started_at }),
  }));
  const those = (which: Vitality) => new Set(asked.filter(({ is }) => is === which).map(({ id }) => id));
  return { dead: those("dead"), alive: those("alive") };
}

/** What is known of one of them. */
export function vitalityIn({ dead, alive }: Vitals, consumer: number): Vitality {
  if (dead.has(consumer)) return "dead";
  return alive.has(consumer) ? "alive" : "unknown";
}

/**
 * Delivers the next entries to a consumer: they become pending, counted once. Fewer where texts are large.
 */
export function deliver(
  db: DatabaseSync,
  group: GroupRow,
  consumer: number,
  page: { readonly count: number } & TextLimits,
  now: number,
): readonly EntryRow[] {
  const { id, stream, last_ms, last_n } = group;
  const rows = pageOf(db, stream, { from: { ms: last_ms, n: last_n }, count: page.count }, page);
  const last = rows.at(-1);
  if (!last) return [];
  const [ms, n] = last;
  statement(db, DELIVER).run(id, consumer, now, stream, last_ms, last_n, ms, n);
  statement(db, ADVANCE).run(ms, n, rows.length, id);
  return rows;
}

/** True if the stream has entries that the group has not read. */
export function hasNewer(db: DatabaseSync, group: GroupRow): boolean {
  return statement(db, NEWER).get(group.stream, group.last_ms, group.last_n) !== undefined;
}

/** True if something is pending in the group. */
export function hasPending(db: DatabaseSync, group: GroupRow): boolean {
  return statement(db, ANY_PENDING).get(group.id) !== undefined;
}

export function findPending(db: DatabaseSync, group: GroupRow, id: StreamId): PendingRow | undefined {
  return statement(db, PENDING).get(group.id, id.ms, id.n) as PendingRow | undefined;
}

export function setPending(db: DatabaseSync, group: GroupRow, id: StreamId, row: PendingRow): void {
  statement(db, SET_PENDING).run(row.consumer, row.at, row.count, group.id, id.ms, id.n);
}

/** True if it was pending. */
export function acknowledge(db: DatabaseSync, group: GroupRow, id: StreamId): boolean {
  return statement(db, ACKNOWLEDGE).run(group.id, id.ms, id.n).changes !== 0;
}

/**
 * Sets the time of the last delivery of all of `ids` that the consumer owns, in one statement; returns those
 * that it does not. As in `touch`, deliveries whose entries are gone leave the pending list.
 */
export function touchAll(
  db: DatabaseSync,
  group: GroupRow,
  consumer: number | undefined,
  ids: readonly string[],
  at: number,
): readonly string[] {
  const keys = ids.flatMap((id) => parseStreamId(id) ?? []).map(({ ms, n }) => [ms, n]);
  const kept = consumer === undefined
    ? []
    : statement(db, KEEP).all(at, group.id, consumer, JSON.stringify(keys), group.stream);
  if (kept.length === ids.length) return [];
  const known = new Set(kept.map(({ ms, n }) => `${ms}-${n}`));
  return ids.filter((id) => !known.has(id) && touch(db, group, consumer, id, at) === undefined);
}

/**
 * Sets the time of the last delivery and returns the count, changed by `recount`. Undefined when the consumer
 * does not own the entry; as in Redis, a delivery whose entry is gone leaves the pending list when touched.
 */
export function touch(
  db: DatabaseSync,
  group: GroupRow,
  consumer: number | undefined,
  id: string,
  at: number,
  recount: (count: number) => number = (count) => count,
): number | undefined {
  const key = parseStreamId(id);
  const row = key && findPending(db, group, key);
  if (!row || row.consumer !== consumer) return undefined;
  if (!holdsEntry(db, group.stream, key)) {
    acknowledge(db, group, key);
    return undefined;
  }
  const count = recount(row.count);
  setPending(db, group, key, { consumer: row.consumer, at, count });
  return count;
}
