/**
 * Statements of `ctx.sql` that were written and never awaited, so that they never ran (D27).
 *
 * One that would have changed something fails the unit of work: without it the rest would be committed as if
 * it had run, and nobody would ever hear of it. The handler fails the first time that it is tried, the
 * message is kept as any that fails, and is replayed once the `await` is there. A query that only reads may
 * be a part of another that was not needed in the end: it is told in the log.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { SqlStatement } from "../../adapters/ports.ts";
import { IncorrectUsageError } from "../../errors.ts";

const log = getLogger(["protean", "domain"]);

const BLANK = String.raw`(?:[\s(;]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*`;
/** Told from parts of statements, such as `update set …` behind `on conflict do`, or `replace(…)`. */
const CHANGES = String.raw`insert\s+(?:into|or)\b|replace\s+into\b|update\s+(?!set\b)|delete\s+from\b` +
  String.raw`|merge\s+into\b|(?:create|alter|drop|truncate|call|notify|refresh|grant|revoke)\s+["\w]|do\s+\$`;
/** Behind WITH; `for update` reads. */
const INNER = String
  .raw`insert\s+into\b|delete\s+from\b|merge\s+into\b|update\s+(?!(?:of|nowait|skip)\b)["\w]`;
const CHANGING = new RegExp(
  String.raw`^${BLANK}(?:${CHANGES}|with\b[\s\S]*\b(?:${INNER}))`,
  "i",
);
const READING = new RegExp(String.raw`^${BLANK}(?:select|with)\b`, "i");
/** Characters of a statement that are told. */
const TOLD = 60;

/** The statements of one unit of work that nobody has used yet. */
export class UnrunStatements {
  readonly #unrun = new Map<object, SqlStatement>();

  /** `query` names it. */
  built(query: object, statement: SqlStatement): void {
    this.#unrun.set(query, statement);
  }

  /** It runs, or has become part of another. */
  used(query: object): void {
    this.#unrun.delete(query);
  }

  /**
   * Warns of what would have read. Throws `IncorrectUsageError` where a statement would have changed
   * something, and names its beginning.
   */
  assertNone(): void {
    for (const { strings } of this.#unrun.values()) {
      const text = strings.join("?");
      if (CHANGING.test(text)) {
        throw new IncorrectUsageError(
          `A ctx.sql statement was never awaited and has not run (${
            beginning(text)
          }): write await before it. ` +
            "Nothing of this unit of work is committed.",
        );
      }
      if (READING.test(text)) log.warn("unit_of_work.statement_not_run", { statement: beginning(text) });
    }
  }
}

/** One line of it, without what stands in quotes: that may be somebody's data (SEC-4). */
function beginning(text: string): string {
  const line = text.replace(/'(?:[^']|'')*(?:'|$)/g, "'…'").replace(/\s+/g, " ").trim();
  return line.length > TOLD ? `${line.slice(0, TOLD)}…` : line;
}
