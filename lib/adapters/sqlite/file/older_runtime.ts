/**
 * What `node:sqlite` of older runtimes lacks, in one place: an executable may be compiled with one of them.
 * Every function uses the driver's own way where there is one.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
/** Codes of what can be wrong with a file, by SQLite's text; anything else is a mistake in the statement. */
const CODES = [
  ["database is locked", SQLITE_BUSY],
  ["disk I/O error", 10],
  ["disk image is malformed", 11],
  ["unable to open database file", 14],
  ["file is not a database", 26],
] as const;

/** Whether the runtime's driver is the younger one, which can all of this itself. */
function isYounger(db: DatabaseSync): boolean {
  return "isTransaction" in db;
}

/** Opens a file that is there, for reading and writing, and makes none. Throws where there is none. */
export function openExisting(path: string): DatabaseSync {
  if ("isTransaction" in DatabaseSync.prototype) {
    return new DatabaseSync(`${pathToFileURL(path).href}?mode=rw`);
  }
  // Older drivers take paths only, and make the file where somebody has removed it in this moment.
  using file = Deno.openSync(path);
  const db = new DatabaseSync(path);
  if (file.statSync().nlink !== 0) return db;
  db.close();
  Deno.removeSync(path);
  throw new Deno.errors.NotFound(path);
}

/**
 * One row after the other: whoever stops early has read no more than that. The iterator of older drivers finds
 * nothing at the second run of a statement, so there all rows are read.
 */
export function rowsOf(
  statement: StatementSync,
  ...values: readonly (string | number)[]
): Iterable<Record<string, unknown>> {
  return "isTransaction" in DatabaseSync.prototype ? statement.iterate(...values) : statement.all(...values);
}

/** Whether a transaction is open; false on a closed connection. */
export function inTransaction(db: DatabaseSync): boolean {
  if (isYounger(db)) return db.isOpen && db.isTransaction;
  try {
    db.prepare("BEGIN").run();
  } catch (cause) {
    return (cause as Error).message.includes("within a transaction");
  }
  db.prepare("ROLLBACK").run();
  return false;
}

const paths = new WeakMap<DatabaseSync, string>();

/** The path of the file; empty for a database in memory. */
export function fileOf(db: DatabaseSync): string {
  const known = paths.get(db);
  if (known !== undefined) return known;
  const path = String(db.prepare("PRAGMA database_list").get()?.file ?? "");
  paths.set(db, path);
  return path;
}

/** Prepares a statement. Its parameters have names, or are anonymous: older drivers bind no numbered ones. */
export function prepare(db: DatabaseSync, sql: string): StatementSync {
  return isYounger(db) ? db.prepare(sql) : prepareOrSayWhy(db, sql);
}

/**
 * Older drivers keep to themselves why a statement cannot be prepared, but not why it cannot be explained.
 */
function prepareOrSayWhy(db: DatabaseSync, sql: string): StatementSync {
  try {
    return db.prepare(sql);
  } catch (cause) {
    try {
      db.exec(`EXPLAIN ${sql}`);
    } catch (reason) {
      const { message } = reason as Error;
      const errcode = CODES.find(([text]) => message.includes(text))?.[1] ?? SQLITE_ERROR;
      throw Object.assign(new Error(message, { cause }), { errcode });
    }
    // Nothing is wrong with it: another process had the file for a moment.
    throw Object.assign(new Error("database is locked", { cause }), { errcode: SQLITE_BUSY });
  }
}

/** Rows as arrays, half again as fast as objects where the driver has them. Column names must differ. */
export function asArrays<Row extends readonly unknown[]>(
  prepared: StatementSync,
): { all(...values: number[]): readonly Row[] } {
  // The platform has the method, its types do not.
  const arrays = prepared as unknown as {
    setReturnArrays?(on: boolean): void;
    all(...values: number[]): readonly Row[];
  };
  if (arrays.setReturnArrays) {
    arrays.setReturnArrays(true);
    return arrays;
  }
  return { all: (...values) => prepared.all(...values).map((row) => Object.values(row) as unknown as Row) };
}
