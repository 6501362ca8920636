/**
 * Locks as rows of a SQLite file (house-plan 4): each names a process, and is free when that one lets go, is
 * known to be dead, or has not been heard of for `LOCK_MS`.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { awakeMs, type Clock, momentOf } from "../../async/clock.ts";
import { HeldLocks } from "../lease_lock.ts";
import type { Lock, LockOptions } from "../ports.ts";
import { component } from "./file/migrate.ts";
import { creation } from "../migrations.ts";
import { isGone, letGo, newHolder } from "./file/holders.ts";
import { selfIdentity, vitalityOf } from "./file/process_identity.ts";
import type { Look, Silence } from "./file/silence.ts";
import { statement } from "./file/statements.ts";

/** Longer than a renewal may have to wait behind a transaction of another unit of work (30 s). */
export const LOCK_MS = 60_000;

/** Times are wall-clock milliseconds, because several processes share them. */
export const lockComponent = component({
  name: "lock",
  columns: { protean_lock: ["name", "holder", "pid", "started_at", "refreshed_at"] },
  steps: [creation(
    `CREATE TABLE protean_lock (name text NOT NULL PRIMARY KEY, holder text NOT NULL, pid integer NOT NULL,
  started_at text NOT NULL, refreshed_at integer NOT NULL) WITHOUT ROWID`,
  )],
});

export class SqliteLocks {
  readonly #held = new HeldLocks();

  /** `write` runs one write transaction on the file. */
  constructor(
    private readonly write: <T>(work: (db: DatabaseSync) => T, options?: LockOptions) => Promise<T>,
    private readonly silence: () => Silence,
    private readonly clock: Clock,
  ) {}

  /** See `BaseProvider.lock`. */
  async lock(name: string, options: LockOptions = {}): Promise<Lock | undefined> {
    const { clock } = this;
    const holder = newHolder("lock");
    const since = momentOf(clock);
    let taken = false;
    try {
      taken = await this.write((db) => take(db, name, holder, this.silence().look()), options);
    } finally {
      if (!taken) letGo(holder);
    }
    if (!taken) return undefined;
    return this.#held.hold({
      // Nobody counts while the machine is suspended: whoever shares the file is on it.
      ...{ name, clock, since, ttlMs: LOCK_MS, elapsed: awakeMs },
      renew: () => this.write((db) => renew(db, name, holder, clock.now())),
      release: async () => {
        letGo(holder);
        await this.write((db) => drop(db, name, holder));
      },
    });
  }

  /** Gives up what is held. Never rejects. */
  async close(): Promise<void> {
    await this.#held.close();
  }
}

/** False: somebody has it. */
function take(db: DatabaseSync, name: string, holder: string, look: Look): boolean {
  const row = statement(
    db,
    "SELECT holder, pid, started_at, refreshed_at FROM protean_lock WHERE name = ?",
  ).get(name);
  if (row && !isGone(row, { look, keptMs: LOCK_MS }, (process) => vitalityOf(db, process))) return false;
  const { pid, startedAt } = selfIdentity(db);
  statement(
    db,
    `INSERT OR REPLACE INTO protean_lock (name, holder, pid, started_at, refreshed_at) VALUES (?, ?, ?, ?, ?)`,
  ).run(name, holder, pid, startedAt, look.now);
  return true;
}

function renew(db: DatabaseSync, name: string, holder: string, now: number): boolean {
  selfIdentity(db);
  const sql = "UPDATE protean_lock SET refreshed_at = ? WHERE name = ? AND holder = ?";
  return Number(statement(db, sql).run(now, name, holder).changes) > 0;
}

function drop(db: DatabaseSync, name: string, holder: string): void {
  statement(db, "DELETE FROM protean_lock WHERE name = ? AND holder = ?").run(name, holder);
}
