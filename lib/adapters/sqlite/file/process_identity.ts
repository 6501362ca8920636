/**
 * Who holds something in a SQLite file, so that others notice when that process is dead and take it over at
 * once (delivery 14). A process id does not tell: ids are used again, containers that share a volume count
 * their own, and `/proc` is closed to an executable without every permission. So a process keeps a lock on a
 * file of its own beside the database; the system lets the lock go with the process, however it ends.
 * Wherever SQLite works, such locks do.
 *
 * @module
 */
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { openWithoutWaiting } from "./connection.ts";
import { fileOf, prepare } from "./older_runtime.ts";

/** A process that has a SQLite file open. Plain JSON. */
export interface ProcessIdentity {
  readonly pid: number;
  /**
   * `<ISO time> <token>`; the token names the file that the process keeps locked. It begins with `?` where no
   * such file could be made, and then nobody can call the process dead.
   */
  readonly startedAt: string;
}

interface Presence {
  readonly identity: ProcessIdentity;
  /** Holds the lock; undefined where there is none. */
  readonly lock: DatabaseSync | undefined;
}

/** Signs of life of this process, by database file. */
const present = new Map<string, Presence>();
const TOKEN = /^\d\S+ ([0-9a-f-]{36})$/;

/** This process, as one that has the file of `db` open. */
export function selfIdentity(db: DatabaseSync): ProcessIdentity {
  const file = fileOf(db);
  let presence = present.get(file);
  if (!presence) present.set(file, presence = appear(file));
  return presence.identity;
}

/**
 * True only if that process certainly does not have the file of `db` open any more. Anything uncertain is
 * false; a lease's expiry decides then.
 */
export function isDead(db: DatabaseSync, { startedAt }: ProcessIdentity): boolean {
  const token = TOKEN.exec(startedAt)?.[1];
  const file = fileOf(db);
  if (!token || file === "" || present.get(file)?.identity.startedAt === startedAt) return false;
  return isFree(signOfLife(file, token));
}

/**
 * As `isDead`, for one look at many: a process is asked about once, however many consumers or shards it has,
 * because to ask is to open and lock a file.
 */
export function deadAmong(
  db: DatabaseSync,
  dead: (db: DatabaseSync, identity: ProcessIdentity) => boolean = isDead,
): (identity: ProcessIdentity) => boolean {
  const known = new Map<string, boolean>();
  return (identity) => {
    const answer = known.get(identity.startedAt) ?? dead(db, identity);
    known.set(identity.startedAt, answer);
    return answer;
  };
}

/** Nothing is held in the file of `db` any more: whatever this process has left in it is free. */
export function disappear(db: DatabaseSync): void {
  const file = fileOf(db);
  const presence = present.get(file);
  present.delete(file);
  if (!presence?.lock) return;
  const path = fileOf(presence.lock);
  presence.lock.close();
  remove(path);
}

function appear(file: string): Presence {
  const token = crypto.randomUUID();
  const identity = { pid: process.pid, startedAt: `${new Date().toISOString()} ${token}` };
  try {
    return { identity, lock: file === "" ? undefined : locked(signOfLife(file, token)) };
  } catch {
    return { identity: { ...identity, startedAt: `?${identity.startedAt}` }, lock: undefined };
  }
}

function signOfLife(file: string, token: string): string {
  return `${file}-alive-${token}`;
}

/**
 * Locks the file for as long as the connection lives; nothing is ever written to it. Throws when another has
 * it locked.
 */
function locked(path: string): DatabaseSync {
  const lock = openWithoutWaiting(path);
  try {
    // Its journal would be a second file.
    prepare(lock, "PRAGMA journal_mode = MEMORY").get();
    prepare(lock, "BEGIN EXCLUSIVE").run();
    return lock;
  } catch (cause) {
    lock.close();
    throw cause;
  }
}

/** Whether nobody has it locked, or it is gone. Then it goes: its process will not come back. */
function isFree(path: string): boolean {
  try {
    locked(path).close();
  } catch {
    return false;
  }
  remove(path);
  return true;
}

/** A file that stays is only litter. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The folder has become read-only, or another process was faster.
  }
}
