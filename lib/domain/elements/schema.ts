/**
 * Standard Schema at the boundary: synchronous validation, errors without payload values, and the JSON of the
 * validated output, which is what is stored and sent (delivery 17).
 *
 * @module
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigurationError, ValidationError } from "../../errors.ts";
import { canonicalJson } from "../../message/canonical.ts";
import { holdsBigints, parseExact } from "../../message/exact_numbers.ts";
import { unstorableIn } from "../../message/storable.ts";
import { beginningOf, lasting } from "./beginning.ts";
import { inExactWords, roundedIn, TOO_LARGE, unsettled, withBigints } from "./wide_integers.ts";
import type { Out, Schema } from "../types.ts";

/**
 * Refusals that a message or `issues` holds at most; a list of a million bad items must not become the log.
 */
const MAX_ISSUES = 20;
const MAX_TEXT = 200;
/** Issues with the beginning of a large value after which the rest is not looked at. */
const MOST_WRONG = 1_000;

/** Validated data, as it will be read back. */
export interface Encoded<T> {
  readonly value: T;
  /** Canonical JSON of the schema's output: what is stored and sent. */
  readonly text: string;
  /** The text, parsed. */
  readonly json: unknown;
}

/**
 * Validates `value`. `what` names the element and what was looked at, such as `Data of event OrderPlaced`.
 * With `isLarge`, JSON whose beginning is wrong in very many places is refused for those.
 *
 * Throws `ValidationError`, and `ConfigurationError` for a schema that answers with a Promise.
 */
export function validate<S extends Schema>(schema: S, value: unknown, what: string, isLarge = false): Out<S> {
  const beginning = isLarge ? beginningOf(value) : undefined;
  if (beginning !== undefined) {
    const wrong = lasting(judged(schema, beginning, what).issues ?? [], beginning, value);
    if (wrong.length > MOST_WRONG) throw refusal(wrong, what, "at least ");
  }
  const result = judged(schema, value, what);
  if (result.issues) throw refusal(result.issues, what);
  return kept(value, result.value, what);
}

/** What the schema says of a value, given bigints where it wants them. */
function judged<S extends Schema>(schema: S, value: unknown, what: string): StandardSchemaV1.Result<Out<S>> {
  const result = attempt(schema, value, what);
  if (!result.issues) return result;
  const wanted = withBigints(value, result.issues);
  const again = wanted === undefined ? undefined : attempt(schema, wanted, what);
  if (again && !again.issues) return again;
  const issues = again?.issues ? unsettled(result.issues, again.issues) : result.issues;
  return { issues: issues.map((issue) => inExactWords(issue, value)) };
}

function attempt<S extends Schema>(schema: S, value: unknown, what: string): StandardSchemaV1.Result<Out<S>> {
  const result = schema["~standard"].validate(value);
  if (isPromise(result)) throw asynchronousSchema(result, what);
  return result;
}

/** Throws `ValidationError` where the schema turned a bigint into a number, and so into another one. */
function kept<T>(value: unknown, output: T, what: string): T {
  const path = holdsBigints(value) ? roundedIn(value, output) : undefined;
  if (path === undefined) return output;
  throw refusal([{ path, message: TOO_LARGE }], what);
}

/**
 * Validates what user code gave us and turns it into what will be read back: the schema's output for its own
 * JSON. Throws `ValidationError`, and `ConfigurationError` for a schema that refuses its own output.
 */
export function encode<S extends Schema>(schema: S, value: unknown, what: string): Encoded<Out<S>> {
  const text = jsonText(validate(schema, value, what), what);
  const json = parseExact(text);
  try {
    return { value: validate(schema, json, what), text, json };
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    throw new ConfigurationError(
      `${what} cannot be read back: the schema must accept the JSON of its own output, such as z.coerce.date() ` +
        `instead of z.date() (${reasons(cause.issues)}).`,
      {
        code: "CONFIG_SCHEMA_NOT_REPEATABLE",
        outline: `${what} cannot be read back: the schema must accept the JSON of its own output.`,
        cause,
      },
    );
  }
}

/**
 * `value` as canonical JSON. Throws `ValidationError` for what JSON cannot hold: NaN, a circular reference.
 */
export function jsonText(value: unknown, what: string): string {
  try {
    return canonicalJson(value);
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    throw new ValidationError(`${what} cannot be written as JSON: ${reasons(cause.issues)}.`, cause.issues, {
      outline: `${what} cannot be written as JSON.`,
      cause,
    });
  }
}

/**
 * The same for what a database will hold. Throws `ValidationError` too for a text that no database can, by
 * the name of its field.
 */
export function encodeStored<S extends Schema>(schema: S, value: unknown, what: string): Encoded<Out<S>> {
  const encoded = encode(schema, value, what);
  assertStorable(encoded.json, encoded.text, what);
  return encoded;
}

/** Throws `ValidationError` where `json`, whose text is `text`, holds what no database can. */
export function assertStorable(json: unknown, text: string, what: string): void {
  const found = unstorableIn(json, text);
  if (!found) return;
  const issues = [{ path: found.path, message: found.reason }];
  throw new ValidationError(`${what} cannot be stored: ${reasons(issues)}.`, issues, {
    outline: `${what} cannot be stored: a text ${found.reason}.`,
  });
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown }).then === "function";
}

function asynchronousSchema(result: Promise<unknown>, what: string): ConfigurationError {
  // Nobody waits for it any more; its rejection must not end the process.
  Promise.resolve(result).catch(() => {});
  return new ConfigurationError(
    `${what} is validated asynchronously: use a schema that answers at once, and do what must wait in the handler.`,
    { code: "CONFIG_ASYNC_SCHEMA" },
  );
}

/** `leastWord`: before the number of those that are not told, where there may be more of them. */
function refusal(issues: readonly StandardSchemaV1.Issue[], what: string, leastWord = ""): ValidationError {
  const listed = issues.slice(0, MAX_ISSUES).map((issue) => ({
    path: clip((issue.path ?? []).map(segment).join(".")),
    message: clip(issue.message),
  }));
  const more = issues.length > MAX_ISSUES ? `; and ${leastWord}${issues.length - MAX_ISSUES} more` : "";
  return new ValidationError(`${what} is refused by its schema: ${reasons(listed)}${more}.`, listed, {
    outline: `${what} is refused by its schema${fieldsOf(issues)}.`,
  });
}

/**
 * ` in 'amount', 'items'`: fields of the payload itself. Keys further in, and what the schema says of them,
 * may be data.
 */
function fieldsOf(issues: readonly StandardSchemaV1.Issue[]): string {
  const fields = new Set(
    issues.slice(0, MAX_ISSUES).flatMap(({ path = [] }) => path.slice(0, 1).map(segment)),
  );
  const named = [...fields].filter((field) => /^[A-Za-z_]\w{0,39}$/.test(field)).map((field) => `'${field}'`);
  return named.length === 0 ? "" : ` in ${named.join(", ")}`;
}

function segment(part: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof part === "object" ? part.key : part);
}

function reasons(issues: ValidationError["issues"]): string {
  return issues.map(({ path, message }) => path === "" ? message : `${path}: ${message}`).join("; ");
}

function clip(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
