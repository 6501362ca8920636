/**
 * Statements of a handler (`ctx.sql`): parameters and results in the values that PostgreSQL would give, and
 * which of them only read.
 *
 * @module
 */
import type { DatabaseSync, SupportedValueType } from "node:sqlite";
import { IncorrectUsageError, ProteanError, RefusedError } from "../../../errors.ts";
import { unstorable } from "../../../message/storable.ts";
import type { SqlRow, SqlStatement, SqlValue } from "../../ports.ts";
import { fileOf } from "../file/older_runtime.ts";
import { isReadOnly, sqliteCode } from "../file/sqlite_error.ts";
import { statement } from "../file/statements.ts";
import { isTableMissing } from "./rows.ts";

/** Statements that would end the unit of work's transaction or change the connection under everybody else. */
const FORBIDDEN = new Set(
  ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "PRAGMA", "VACUUM"],
);
const READING = new Set(["SELECT", "VALUES", "EXPLAIN", "WITH"]);

/** Blanks, comments and semicolons. */
const BLANK = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/;

/** Refused by the reading connection: the statement writes after all (`WITH … INSERT`). */
export const WRITES: unique symbol = Symbol("writes");

/** Whether the statement looks like one that only reads; the reading connection has the last word. */
export function looksLikeReading(query: SqlStatement): boolean {
  return READING.has(firstWord(query));
}

/** Runs the statement on the reading connection; `WRITES` when it is not one that only reads. */
export function runReading(db: DatabaseSync, query: SqlStatement): readonly SqlRow[] | typeof WRITES {
  try {
    return execute(db, query);
  } catch (cause) {
    if (isReadOnly(cause)) return WRITES;
    throw cause;
  }
}

/**
 * Runs the statement. Rows as objects; integers beyond 2^53 as bigint. Throws the driver's error or one of
 * ours.
 */
export function execute(db: DatabaseSync, query: SqlStatement): readonly SqlRow[] {
  try {
    return run(db, query);
  } catch (cause) {
    if (!isTableMissing(cause)) throw cause;
    throw new RefusedError(
      `${fileOf(db)} lacks a table that a statement names: ${cause.message}: create it, or correct the name.`,
      { code: "DATABASE_TABLE_MISSING", cause, concerns: "statement" },
    );
  }
}

function run(db: DatabaseSync, query: SqlStatement): readonly SqlRow[] {
  const word = firstWord(query);
  if (FORBIDDEN.has(word)) {
    throw new IncorrectUsageError(
      `ctx.sql cannot run ${word}: the unit of work begins and commits by itself.`,
    );
  }
  if (word === "") throw new IncorrectUsageError("ctx.sql was given no statement.");
  const text = withParameters(query.strings);
  const prepared = statement(db, text);
  // SQLite would run the first statement and leave the rest out without a word.
  if (!BLANK.test(text.slice(prepared.sourceSQL.length))) {
    throw new IncorrectUsageError("ctx.sql runs one statement at a time: give each its own ctx.sql`…`.");
  }
  const values = Object.fromEntries(query.values.map((value, index) => [`p${index + 1}`, bound(value)]));
  prepared.setReadBigInts(true);
  try {
    return prepared.all(values).map(asRow);
  } catch (cause) {
    if (cause instanceof ProteanError || sqliteCode(cause) !== undefined) throw cause;
    throw new ProteanError(`A parameter of ctx.sql cannot be stored: ${(cause as Error).message}`, {
      code: "SQL",
      outline: "A parameter of ctx.sql cannot be stored.",
      cause,
    });
  }
}

/** Parameters have names, so that a question mark in the statement is never one of them. */
function withParameters(strings: readonly string[]): string {
  return strings.reduce((text, piece, index) => `${text}@p${index}${piece}`);
}

/** The first keyword in upper case, past blanks, comments and opening parentheses. */
function firstWord(query: SqlStatement): string {
  const text = query.strings[0] ?? "";
  return /^(?:\s|\(|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*([A-Za-z]+)/.exec(text)?.[1]?.toUpperCase() ?? "";
}

/** The driver would bind every number as a float: 5 would be stored as '5.0' in a text column. */
function bound(value: SqlValue): SupportedValueType {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return BigInt(value);
  const reason = typeof value === "string" ? unstorable(value) : undefined;
  if (reason !== undefined) throw new ProteanError(`A parameter of ctx.sql ${reason}.`, { code: "SQL" });
  return value;
}

function asRow(row: Record<string, unknown>): SqlRow {
  const plain: SqlRow = {};
  for (const [column, value] of Object.entries(row)) {
    plain[column] = typeof value === "bigint" && isSafe(value) ? Number(value) : value;
  }
  return plain;
}

function isSafe(value: bigint): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
}
