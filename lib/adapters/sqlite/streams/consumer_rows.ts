/**
 * What consumers have of each other: the pending list, claims, and the removal of those that are gone. Every
 * function runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { TextBudget } from "../../entry_text.ts";
import type { OwnConsumers, PendingEntry } from "../../ports.ts";
import { parseStreamId, type StreamId } from "../../stream_id.ts";
import { RELEASED_IDLE_MS } from "../../stream_rules.ts";
import type { Look } from "../file/silence.ts";
import { statement } from "../file/statements.ts";
import {
  acknowledge,
  enterConsumer,
  findConsumer,
  findPending,
  type GroupRow,
  type PendingRow,
  RELEASED_AT,
  setPending,
  vitalityIn,
  type Vitals,
  vitalsOf,
} from "./group_rows.ts";
import { findWithin, type FoundRow } from "./texts.ts";

const LIST = `SELECT p.ms, p.n, p.consumer, c.name, p.at, p.count FROM protean_stream_pending p
  JOIN protean_stream_consumer c ON c.id = p.consumer
  WHERE p.grp = ? AND (p.ms, p.n) > (?, ?) AND (? IS NULL OR c.name = ?)
    AND (p.at < 0 OR p.consumer IN (SELECT value FROM json_each(?))
      OR ((p.at <= ? OR p.at > ?) AND p.consumer NOT IN (SELECT value FROM json_each(?))))
  ORDER BY p.ms, p.n LIMIT ?`;
const BUSY = "SELECT 1 FROM protean_stream_pending WHERE grp = ? AND consumer = ? LIMIT 1";
const OTHERS =
  "SELECT id, name, seen_at FROM protean_stream_consumer WHERE grp = ? AND name <> ? ORDER BY id";
const FORGET = "DELETE FROM protean_stream_consumer WHERE id = ?";

export interface ListOptions {
  readonly after: StreamId;
  readonly limit: number;
  readonly consumer?: string;
  readonly minIdleMs?: number;
  readonly look: Look;
}

/** The pending list in order of id. */
export function listPending(
  db: DatabaseSync,
  group: GroupRow,
  options: ListOptions,
): readonly PendingEntry[] {
  const { after, consumer = null, minIdleMs = 0, look, limit } = options;
  const vitals = vitalsOf(db, group);
  const all = minIdleMs <= 0;
  // A clock that was set back must not hide entries from a caller who wants all of them.
  const latest = all ? Number.MAX_SAFE_INTEGER : look.olderThan(minIdleMs);
  const beyond = Math.min(look.setBackBeyond(minIdleMs), Number.MAX_SAFE_INTEGER);
  const spared = all || look.isEven(minIdleMs) ? [] : [...vitals.alive];
  const rows = statement(db, LIST).all(
    group.id,
    after.ms,
    after.n,
    consumer,
    consumer,
    JSON.stringify([...vitals.dead]),
    latest,
    beyond,
    JSON.stringify(spared),
    limit,
  ) as unknown as readonly {
    readonly ms: number;
    readonly n: number;
    readonly consumer: number;
    readonly name: string;
    readonly at: number;
    readonly count: number;
  }[];
  return rows.map((row) => ({
    id: `${row.ms}-${row.n}`,
    consumer: row.name,
    idleMs: idleMs(row, vitals, look),
    count: row.count,
  }));
}

function idleMs(row: PendingRow, { dead }: Vitals, look: Look): number {
  if (dead.has(row.consumer)) return Infinity;
  return row.at === RELEASED_AT ? RELEASED_IDLE_MS : Math.max(0, look.now - row.at);
}

export interface ClaimOptions {
  /** Name of the consumer that claims. */
  readonly by: string;
  readonly minIdleMs: number;
  readonly look: Look;
  readonly vitals: Vitals;
  /** What the texts may have in all. */
  readonly budget: TextBudget;
}

/** An entry that was claimed, and its row; without one, the stream no longer holds it. */
export interface ClaimedRow {
  readonly id: string;
  readonly found: FoundRow | undefined;
  readonly count: number;
}

/** Takes one entry over from `from`, if that still owns it and it has been idle long enough. */
export function claimEntry(
  db: DatabaseSync,
  group: GroupRow,
  id: string,
  from: string,
  options: ClaimOptions,
): ClaimedRow | undefined {
  const { by, minIdleMs, look, vitals, budget } = options;
  const key = parseStreamId(id);
  const row = key && findPending(db, group, key);
  if (!row || row.consumer !== findConsumer(db, group, from)) return undefined;
  const free = minIdleMs <= 0 || row.at === RELEASED_AT ||
    look.isSilent(row.at, minIdleMs, vitalityIn(vitals, row.consumer));
  if (!free) return undefined;
  const found = findWithin(db, group.stream, key, budget);
  if (!found) {
    acknowledge(db, group, key);
    return { id, found, count: row.count };
  }
  setPending(db, group, key, {
    consumer: enterConsumer(db, group, by, look.now),
    at: look.now,
    count: row.count,
  });
  return { id, found, count: row.count };
}

/** Deletes a consumer; false if it has something pending. */
export function retireConsumer(db: DatabaseSync, group: GroupRow, consumer: number): boolean {
  if (statement(db, BUSY).get(group.id, consumer)) return false;
  statement(db, FORGET).run(consumer);
  return true;
}

/**
 * Deletes consumers with nothing pending that are dead or were not seen for `idleMs`; returns their names.
 */
export function sweepConsumers(
  db: DatabaseSync,
  group: GroupRow,
  options: {
    readonly spare: string;
    readonly idleMs: number;
    readonly own?: OwnConsumers | undefined;
    readonly look: Look;
  },
): readonly string[] {
  const vitals = vitalsOf(db, group);
  const others = statement(db, OTHERS).all(group.id, options.spare) as unknown as readonly {
    readonly id: number;
    readonly name: string;
    readonly seen_at: number;
  }[];
  return others
    .filter(({ id, name, seen_at }) => {
      const { own, idleMs } = options;
      const least = own && name.startsWith(own.prefix) ? own.idleMs : idleMs;
      return options.look.isSilent(seen_at, least, vitalityIn(vitals, id));
    })
    .filter(({ id }) => retireConsumer(db, group, id))
    .map(({ name }) => name);
}
