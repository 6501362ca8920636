/**
 * What an error of the driver means to the server: wait and try again, a file that only an operator can mend,
 * or a mistake in a statement.
 *
 * @module
 */
import { ProteanError } from "../../../errors.ts";

/** Primary result codes of SQLite that are told apart here. */
const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const NOTADB = 26;

/** Codes that say that the file or the disk is in trouble, each with what an operator reads. */
const trouble: ReadonlyMap<number, string> = new Map([
  [READONLY, "is read-only"],
  [10, "cannot be read or written"],
  [CORRUPT, "is damaged"],
  [13, "cannot grow: the disk is full"],
  [14, "cannot be opened"],
  [NOTADB, "is not a SQLite database"],
]);

/**
 * The primary result code of a driver's error (its low byte; the driver gives the extended one), or
 * undefined.
 */
export function sqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode & 0xff : undefined;
}

/** Another process is writing: the same statement will work in a moment. */
export function isBusy(thrown: unknown): boolean {
  return sqliteCode(thrown) === BUSY;
}

/** A write was tried on a connection or a file that only reads. */
export function isReadOnly(thrown: unknown): boolean {
  return sqliteCode(thrown) === READONLY;
}

/** What is in the file is wrong, wherever it lies. */
export function isSpoilt(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code === CORRUPT || code === NOTADB;
}

/**
 * The end of a sentence that begins with the file's name, or undefined when the error is not about the file.
 */
export function fileTrouble(thrown: unknown): string | undefined {
  const code = sqliteCode(thrown);
  return code === undefined ? undefined : trouble.get(code);
}

/** Any other error of the driver, as one of ours: a mistake in a statement, which no waiting mends. */
export function asStatementError(path: string, thrown: unknown): unknown {
  if (sqliteCode(thrown) === undefined) return thrown;
  const reason = (thrown as Error).message;
  return new ProteanError(`A statement failed on ${path}: ${reason}.`, {
    code: "SQL",
    outline: `A statement failed on ${path} (SQLite's result code ${sqliteCode(thrown)}).`,
    cause: thrown,
  });
}
