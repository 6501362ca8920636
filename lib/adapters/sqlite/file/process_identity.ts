/**
 * Who holds something in a SQLite file, so that others notice when that process is dead and take it over at
 * once (delivery 14). A process id does not tell: ids are used again, containers that share a volume count
 * their own, and `/proc` is closed to an executable without every permission. So a process keeps a lock on a
 * file of its own beside the database; the system lets the lock go with the process, however it ends.
 * Wherever SQLite works, such locks do.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { openWithoutWaiting } from "./connection.ts";
import { fileOf, openExisting, prepare } from "./older_runtime.ts";
import type { Vitality } from "./silence.ts";
import { isBusy } from "./sqlite_error.ts";

/** A process that has a SQLite file open. Plain JSON. */
export interface ProcessIdentity {
  readonly pid: number;
  /**
   * `<ISO time> <token>`; the token names the file that the process keeps locked. It begins with `?` where no
   * such file could be made, and then nobody can call the process dead or alive.
   */
  readonly startedAt: string;
}

interface Presence {
  readonly identity: ProcessIdentity;
  /** Path of its sign of life. */
  readonly sign: string;
  /** Holds the lock; undefined where there is none. */
  readonly lock: DatabaseSync | undefined;
  /** When its sign was last looked for, monotonic. */
  lookedAt: number;
}

/** Signs of life of this process, by database file. */
const present = new Map<string, Presence>();
const SIGN = "-alive-";
/** Behind the name of a sign that is not locked yet. */
const UNNAMED = ".new";
/** So often a process looks for its own sign, in ms. */
const LOOK_MS = 1_000;
/** Longer than a process takes to lock the sign that it has created, in ms. */
const MAKING_MS = 60_000;
const TOKEN = /^\d\S+ ([0-9a-f-]{36})$/;

/**
 * This process, as one that has the file of `db` open. Its sign of life is made again where somebody has
 * removed it, so every beat of what it holds asks for this; it is looked for once in a second. `now`:
 * monotonic, ms.
 */
export function selfIdentity(db: DatabaseSync, now = performance.now()): ProcessIdentity {
  const file = fileOf(db);
  let presence = present.get(file);
  if (!presence) {
    clearAway(db, file);
    present.set(file, presence = appear(file, newIdentity()));
  }
  if (now - presence.lookedAt < LOOK_MS) return presence.identity;
  presence.lookedAt = now;
  if (presence.lock && !exists(presence.sign)) {
    const again = appear(file, presence.identity);
    // What could not be made now is tried at the next beat.
    if (again.lock) {
      presence.lock.close();
      present.set(file, again);
    }
  }
  return presence.identity;
}

/** What is known of a process that had the file of `db` open: anything uncertain is `unknown`. */
export function vitalityOf(db: DatabaseSync, { startedAt }: ProcessIdentity): Vitality {
  const file = fileOf(db);
  if (present.get(file)?.identity.startedAt === startedAt) return "alive";
  const token = TOKEN.exec(startedAt)?.[1];
  return !token || file === "" ? "unknown" : vitalityBy(signOfLife(file, token));
}

/**
 * As `vitalityOf`, for one look at many: a process is asked about once, however many consumers or shards it
 * has, because to ask is to open and lock a file.
 */
export function vitalityAmong(
  db: DatabaseSync,
  ask: (db: DatabaseSync, identity: ProcessIdentity) => Vitality = vitalityOf,
): (identity: ProcessIdentity) => Vitality {
  const known = new Map<string, Vitality>();
  return (identity) => {
    const answer = known.get(identity.startedAt) ?? ask(db, identity);
    known.set(identity.startedAt, answer);
    return answer;
  };
}

/**
 * Nothing is held in the file of `db` any more: whatever this process has left in it is free. Its sign stays
 * where something in the file still names it, so that others know it for dead.
 */
export function disappear(db: DatabaseSync): void {
  const file = fileOf(db);
  const presence = present.get(file);
  present.delete(file);
  if (!presence?.lock) return;
  presence.lock.close();
  if (!isNamed(db, presence.identity.startedAt)) remove(presence.sign);
}

function newIdentity(): ProcessIdentity {
  return { pid: process.pid, startedAt: `${new Date().toISOString()} ${crypto.randomUUID()}` };
}

/** Under a name that nobody asks for until it is locked: an unlocked sign is that of a dead process. */
function appear(file: string, identity: ProcessIdentity): Presence {
  const sign = signOfLife(file, TOKEN.exec(identity.startedAt)?.[1] ?? "");
  const lookedAt = performance.now();
  if (file === "") return { identity, sign, lock: undefined, lookedAt };
  // Windows renames no open file.
  const unnamed = Deno.build.os === "windows" ? sign : `${sign}${UNNAMED}`;
  let lock: DatabaseSync | undefined;
  try {
    lock = openWithoutWaiting(unnamed);
    lockFile(lock);
    if (unnamed !== sign) Deno.renameSync(unnamed, sign);
    return { identity, sign, lock, lookedAt };
  } catch {
    lock?.close();
    remove(unnamed);
    return {
      identity: { ...identity, startedAt: `?${identity.startedAt}` },
      sign,
      lock: undefined,
      lookedAt,
    };
  }
}

function signOfLife(file: string, token: string): string {
  return `${file}${SIGN}${token}`;
}

/** Locks the file for as long as the connection lives; nothing is ever written to it. Throws when it is. */
function lockFile(lock: DatabaseSync): void {
  // Its journal would be a second file.
  prepare(lock, "PRAGMA journal_mode = MEMORY").get();
  prepare(lock, "BEGIN EXCLUSIVE").run();
}

/**
 * Dead where nobody has the sign locked. One that is missing was removed, be it by an operator: its process
 * may live and make it again. It is never made here.
 */
function vitalityBy(sign: string): Vitality {
  if (!exists(sign)) return "unknown";
  let lock: DatabaseSync;
  try {
    lock = openExisting(sign);
  } catch {
    return "unknown";
  }
  try {
    prepare(lock, "PRAGMA busy_timeout = 0").get();
    lockFile(lock);
    return "dead";
  } catch (cause) {
    return isBusy(cause) ? "alive" : "unknown";
  } finally {
    lock.close();
  }
}

/** Removes the signs of the dead that nothing in the file names any more. */
function clearAway(db: DatabaseSync, file: string): void {
  if (file === "") return;
  const prefix = `${basename(file)}${SIGN}`;
  try {
    for (const { name } of Deno.readDirSync(dirname(file))) {
      const token = name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
      const sign = join(dirname(file), name);
      if (token === undefined || isBeingMade(sign)) continue;
      if (vitalityBy(sign) === "dead" && !isNamed(db, `% ${token}`)) remove(sign);
    }
  } catch {
    // Signs that stay are only litter.
  }
}

/** A sign without a name yet, unless its maker was killed over it long ago. */
function isBeingMade(sign: string): boolean {
  const made = Deno.statSync(sign).mtime?.getTime() ?? 0;
  return sign.endsWith(UNNAMED) && Math.abs(Date.now() - made) < MAKING_MS;
}

/** Whether a row of whatever holds something names a process; true where that cannot be found out. */
function isNamed(db: DatabaseSync, startedAt: string): boolean {
  try {
    const tables = prepare(
      db,
      `SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'
        AND m.name LIKE 'protean%' AND c.name IN ('pid', 'started_at') GROUP BY m.name HAVING count(*) = 2`,
    ).all().map(({ name }) => String(name));
    return tables.some((table) =>
      prepare(db, `SELECT 1 FROM "${table}" WHERE started_at LIKE ? LIMIT 1`).get(startedAt) !== undefined
    );
  } catch {
    return true;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A file that stays is only litter. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The folder has become read-only, or another process was faster.
  }
}
