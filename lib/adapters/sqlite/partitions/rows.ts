/**
 * Parted categories as rows: keys, who owns them, and where groups stand still (wire 2.11). Every function
 * runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { creation } from "../../migrations.ts";
import { component } from "../file/migrate.ts";
import { isGone } from "../file/holders.ts";
import { selfIdentity, vitalityOf } from "../file/process_identity.ts";
import type { Look } from "../file/silence.ts";
import { statement } from "../file/statements.ts";

/** A lease without a holder was given back; its generation stays. Times are wall-clock milliseconds. */
export const partitionComponent = component({
  name: "partitions",
  columns: {
    protean_partition: ["stream", "key"],
    protean_partition_lease: [
      "grp",
      "key",
      "generation",
      "holder",
      "fence",
      "pid",
      "started_at",
      "refreshed_at",
    ],
    protean_partition_halt: ["stream", "grp", "key", "note"],
  },
  steps: [creation(
    `CREATE TABLE protean_partition (stream text NOT NULL, key text NOT NULL, PRIMARY KEY (stream, key))
  WITHOUT ROWID, STRICT`,
    `CREATE TABLE protean_partition_lease (grp text NOT NULL, key text NOT NULL, generation integer NOT NULL,
  holder text, fence text NOT NULL, pid integer NOT NULL, started_at text NOT NULL, refreshed_at integer NOT NULL,
  PRIMARY KEY (grp, key)) WITHOUT ROWID, STRICT`,
    `CREATE TABLE protean_partition_halt (stream text NOT NULL, grp text NOT NULL, key text NOT NULL,
  note text NOT NULL, PRIMARY KEY (stream, grp, key)) WITHOUT ROWID, STRICT`,
  )],
});

const NOTE = "INSERT INTO protean_partition (stream, key) VALUES (?, ?) ON CONFLICT DO NOTHING";
const KEYS = "SELECT key FROM protean_partition WHERE stream = ?";
const COUNT = "SELECT count(*) AS count FROM protean_partition WHERE stream = ?";
const HAS = "SELECT 1 FROM protean_partition WHERE stream = ? AND key = ?";
const FORGET = "DELETE FROM protean_partition WHERE stream = ? AND key = ?";
const LEASE = `SELECT generation, holder, pid, started_at, refreshed_at FROM protean_partition_lease
  WHERE grp = ? AND key = ?`;
const TAKE = `INSERT OR REPLACE INTO protean_partition_lease
  (grp, key, generation, holder, fence, pid, started_at, refreshed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const RENEW = `UPDATE protean_partition_lease SET refreshed_at = ?
  WHERE grp = ? AND key = ? AND fence = ? AND holder IS NOT NULL`;
const DROP = "UPDATE protean_partition_lease SET holder = NULL WHERE grp = ? AND key = ? AND fence = ?";
const OWNED =
  "SELECT 1 FROM protean_partition_lease WHERE grp = ? AND key = ? AND fence = ? AND holder IS NOT NULL";
const HALT = "INSERT OR REPLACE INTO protean_partition_halt (stream, grp, key, note) VALUES (?, ?, ?, ?)";
const HALTED = "SELECT key, note FROM protean_partition_halt WHERE stream = ? AND grp = ?";
const HALT_OF = "SELECT note FROM protean_partition_halt WHERE stream = ? AND grp = ? AND key = ?";
const UNHALT = "DELETE FROM protean_partition_halt WHERE stream = ? AND grp = ? AND key = ?";

/** One key as a group has it. */
export interface KeyPlace {
  /** The category. */
  readonly stream: string;
  readonly group: string;
  readonly key: string;
}

export function noteKey(db: DatabaseSync, stream: string, key: string): void {
  statement(db, NOTE).run(stream, key);
}

export function keysOf(db: DatabaseSync, stream: string): readonly string[] {
  return statement(db, KEYS).all(stream).map(({ key }) => String(key));
}

export function countKeys(db: DatabaseSync, stream: string): number {
  return Number(statement(db, COUNT).get(stream)?.["count"]);
}

export function hasKey(db: DatabaseSync, stream: string, key: string): boolean {
  return statement(db, HAS).get(stream, key) !== undefined;
}

export function forgetKey(db: DatabaseSync, stream: string, key: string): void {
  statement(db, FORGET).run(stream, key);
}

/** Returns the fence; undefined while somebody who lives owns the key, or was heard of within `keptMs`. */
export function takeLease(
  db: DatabaseSync,
  { group, key }: Omit<KeyPlace, "stream">,
  { owner, holder, keptMs, look }: {
    readonly owner: string;
    readonly holder: string;
    readonly keptMs: number;
    readonly look: Look;
  },
): string | undefined {
  const row = statement(db, LEASE).get(group, key);
  const isFree = !row || row["holder"] === null ||
    isGone(row, { look, keptMs }, (process) => vitalityOf(db, process));
  if (!isFree) return undefined;
  const generation = Number(row?.["generation"] ?? 0) + 1;
  const fence = `${owner}:${generation}`;
  const { pid, startedAt } = selfIdentity(db);
  statement(db, TAKE).run(group, key, generation, holder, fence, pid, startedAt, look.now);
  return fence;
}

export function renewLease(
  db: DatabaseSync,
  { group, key }: Omit<KeyPlace, "stream">,
  fence: string,
  now: number,
): boolean {
  selfIdentity(db);
  return Number(statement(db, RENEW).run(now, group, key, fence).changes) > 0;
}

/** Leaves another's alone. */
export function dropLease(db: DatabaseSync, { group, key }: Omit<KeyPlace, "stream">, fence: string): void {
  statement(db, DROP).run(group, key, fence);
}

export function ownsKey(db: DatabaseSync, { group, key }: Omit<KeyPlace, "stream">, fence: string): boolean {
  return statement(db, OWNED).get(group, key, fence) !== undefined;
}

export function noteHalt(db: DatabaseSync, { stream, group, key }: KeyPlace, note: string): void {
  statement(db, HALT).run(stream, group, key, note);
}

/** Pairs of key and note. */
export function haltsOf(
  db: DatabaseSync,
  stream: string,
  group: string,
): readonly (readonly [string, string])[] {
  return statement(db, HALTED).all(stream, group).map(({ key, note }) =>
    [String(key), String(note)] as const
  );
}

export function haltOf(db: DatabaseSync, { stream, group, key }: KeyPlace): string | undefined {
  const row = statement(db, HALT_OF).get(stream, group, key);
  return row && String(row["note"]);
}

export function forgetHalt(db: DatabaseSync, { stream, group, key }: KeyPlace): void {
  statement(db, UNHALT).run(stream, group, key);
}
