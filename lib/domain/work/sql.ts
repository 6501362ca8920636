/**
 * `ctx.sql`: a tag that builds statements out of text, values and fragments, and runs each when it is
 * awaited.
 *
 * @module
 */
import type { SqlRow, SqlStatement, SqlValue } from "../../adapters/ports.ts";
import { asError, IncorrectUsageError } from "../../errors.ts";
import type { Row, Sql, SqlFragment, SqlQuery } from "../types.ts";
import { UnrunStatements } from "./unrun_statements.ts";

// What may stand in `ctx.sql`: every value is turned into one that any driver takes, before a driver sees it
// (delivery 13: a parameter that fails in the driver can shift the replies of a pipeline).

/** Throws `IncorrectUsageError` for what no column can hold. `place` counts from 1. */
export function sqlValue(value: unknown, place: number): SqlValue {
  switch (typeof value) {
    case "string":
    case "bigint":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : refuse(place, `is ${value}`);
    case "object":
      return value === null || value instanceof Uint8Array ? value : objectValue(value, place);
    default:
      return refuse(place, value === undefined ? "is undefined: use null" : `is a ${typeof value}`);
  }
}

function objectValue(value: object, place: number): SqlValue {
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? refuse(place, "is an invalid date") : value.toISOString();
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    refuse(place, `cannot be written as JSON (${asError(cause).message.split("\n", 1)[0]})`, cause);
  }
  return text ?? refuse(place, "cannot be written as JSON");
}

function refuse(place: number, reason: string, cause?: unknown): never {
  throw new IncorrectUsageError(`Value ${place} of a ctx.sql statement ${reason}.`, { cause });
}

type Run = (statement: SqlStatement) => Promise<readonly SqlRow[]>;

/** A tag whose statements are run by `run`; `unrun` keeps those that are not, for whoever wants to know. */
export function sqlTag(run: Run, unrun = new UnrunStatements()): Sql {
  const sql = (text: TemplateStringsArray | string, ...values: readonly unknown[]): SqlFragment => {
    if (typeof text === "string") return new Fragment({ strings: [identifier(text)], values: [] });
    for (const value of values) if (value instanceof Query) unrun.used(value);
    return new Query(splice(text, values), run, unrun);
  };
  return sql as Sql;
}

class Fragment implements SqlFragment {
  readonly fragment = true;

  constructor(readonly statement: SqlStatement) {}
}

class Query<R extends Row> extends Fragment implements SqlQuery<R> {
  readonly #run: Run;
  readonly #unrun: UnrunStatements;
  #result: Promise<R[]> | undefined;

  constructor(statement: SqlStatement, run: Run, unrun: UnrunStatements) {
    super(statement);
    this.#run = run;
    this.#unrun = unrun;
    unrun.built(this, statement);
  }

  /** Called by `await`, which is what starts the statement. */
  then<A = R[], B = never>(
    done?: ((rows: R[]) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#unrun.used(this);
    this.#result ??= this.#run(this.statement).then((rows) => rows.map((row) => plain(row) as R));
    return this.#result.then(done, failed);
  }
}

/** Drivers may answer rows of their own classes, or without a prototype. */
function plain(row: SqlRow): SqlRow {
  return Object.getPrototypeOf(row) === Object.prototype ? row : { ...row };
}

/** One statement out of a template: fragments become text, everything else a parameter. */
function splice(text: TemplateStringsArray, values: readonly unknown[]): SqlStatement {
  const strings = [text[0] ?? ""];
  const parameters: SqlValue[] = [];
  const extend = (more: string) => strings.push((strings.pop() ?? "") + more);
  values.forEach((value, index) => {
    if (value instanceof Fragment) {
      const [first = "", ...rest] = value.statement.strings;
      extend(first);
      strings.push(...rest);
      parameters.push(...value.statement.values);
      extend(text[index + 1] ?? "");
    } else {
      parameters.push(sqlValue(value, index + 1));
      strings.push(text[index + 1] ?? "");
    }
  });
  return { strings, values: parameters };
}

/** `shop.order` → `"shop"."order"`. Quoted, so that no name can be more than a name. */
function identifier(name: string): string {
  const parts = name.split(".");
  if (parts.some((part) => part === "" || part.includes("\0"))) {
    throw new IncorrectUsageError(
      `'${name.slice(0, 100)}' is no name for ctx.sql: use one such as 'schema.table'.`,
    );
  }
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
}
