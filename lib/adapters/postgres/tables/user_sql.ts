/**
 * Statements of a handler (`ctx.sql`): which are refused, and their text with PostgreSQL's placeholders.
 *
 * @module
 */
import { IncorrectUsageError, ProteanError } from "../../../errors.ts";
import type { SqlStatement } from "../../ports.ts";
import { unstorable } from "../../../message/storable.ts";
import { textOf, type TextValue } from "../connection/values.ts";

/**
 * Statements that would end the unit of work's transaction, change the connection under those who use it
 * next, or leave the driver in a state that it cannot leave (COPY).
 */
const FORBIDDEN = new Set([
  ...["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "EXECUTE"],
  ...["DEALLOCATE", "DISCARD", "LISTEN", "UNLISTEN", "RESET", "COPY"],
]);
/** `SET` changes the connection for good, unless one of these follows. */
const SET_FOR_TRANSACTION = new Set(["LOCAL", "TRANSACTION", "CONSTRAINTS"]);

/** What the protocol counts in 16 bits. */
const MOST_PARAMETERS = 65_533;

/** Blanks, comments and opening parentheses, then the first two words. */
const WORDS = /^(?:[\s(;]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*([A-Za-z]+)(?:\s+([A-Za-z]+))?/;

/**
 * Text and parameters of a statement. Throws `IncorrectUsageError` for one that cannot be part of a unit of
 * work.
 */
export function userStatement(
  { strings, values }: SqlStatement,
): { readonly text: string; readonly values: readonly TextValue[] } {
  const [, first = "", second = ""] = WORDS.exec(strings[0] ?? "") ?? [];
  const word = first.toUpperCase();
  if (FORBIDDEN.has(word)) {
    throw new IncorrectUsageError(
      `ctx.sql cannot run ${word}: the unit of work begins and commits by itself, on a connection that others use next.`,
    );
  }
  if (word === "SET" && !SET_FOR_TRANSACTION.has(second.toUpperCase())) {
    throw new IncorrectUsageError(
      "ctx.sql cannot run SET, for others use the connection next: write SET LOCAL, which ends with the unit of work.",
    );
  }
  if (word === "") throw new IncorrectUsageError("ctx.sql was given no statement.");
  if (values.length > MOST_PARAMETERS) {
    throw new IncorrectUsageError(
      `ctx.sql was given ${values.length} parameters, and PostgreSQL takes at most ${MOST_PARAMETERS}: ` +
        "pass many values as one JSON text, with jsonb_to_recordset.",
    );
  }
  const text = strings.reduce((sum, piece, index) => `${sum}$${index}${piece}`);
  if (text.includes("\0")) {
    throw new IncorrectUsageError("The text of a ctx.sql statement has a NUL character.");
  }
  return { text, values: values.map(parameter) };
}

function parameter(value: SqlStatement["values"][number]): TextValue {
  const text = textOf(value);
  const reason = typeof text === "string" ? unstorable(text) : undefined;
  if (reason === undefined) return text;
  throw new ProteanError(`A parameter of ctx.sql ${reason}.`, { code: "SQL" });
}
