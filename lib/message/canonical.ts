/**
 * Canonical JSON: the text that Python's `json.dumps(data, sort_keys=True, separators=(",", ":"))` prints,
 * which is what checksums are taken of (spec: wire 1.7). Whether a number is an int or a float is part of it:
 * `10` and `10.0` differ.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { hasTooManyDigits, MAX_DIGITS } from "./exact_numbers.ts";
import { MAX_DEPTH, pythonFloat, quote, sortKeys } from "./json_format.ts";

export { canonicalText } from "./canonical_text.ts";

/**
 * Canonical text of a value: what Python would print after reading `JSON.stringify(value)`. So `10` is an int
 * (JavaScript prints no `10.0`), undefined properties are left out, and `toJSON` is honoured.
 *
 * A bigint is an int with all its digits.
 *
 * Throws `ValidationError`, with the path, for what JSON cannot hold: NaN, Infinity, a circular
 * reference, more than 1000 levels, or a value that is undefined, a function or a symbol altogether.
 */
export function canonicalJson(value: unknown): string {
  try {
    return render(value, 0) ?? refuse(`is ${typeof value}`);
  } catch (error) {
    if (!(error instanceof Unwritable)) throw error;
    const path = error.path();
    const where = path === "" ? "the payload" : `'${path}'`;
    throw new ValidationError(`The payload cannot be written as JSON: ${where} ${error.reason}.`, [{
      path,
      message: error.reason,
    }], { outline: `The payload cannot be written as JSON: a value ${error.reason}.` });
  }
}

/** Carries the reason up through the levels, each of which adds its key. */
class Unwritable extends Error {
  readonly keys: (string | number)[] = [];

  constructor(readonly reason: string) {
    super(reason);
  }

  /** `items[0].price`; cut after eight keys, because a circular path has no end. */
  path(): string {
    const keys = this.keys.toReversed();
    const shown = keys.slice(0, 8).map((key) => typeof key === "number" ? `[${key}]` : `.${key}`).join("");
    return `${shown.replace(/^\./, "")}${keys.length > 8 ? "…" : ""}`;
  }
}

function refuse(reason: string): never {
  throw new Unwritable(reason);
}

/** Undefined where `JSON.stringify` leaves a value out. */
function render(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      return renderNumber(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return value === null ? "null" : renderObject(value, depth);
    case "bigint":
      return renderBigint(value);
    default:
      return undefined;
  }
}

function renderNumber(value: number): string {
  // As JSON.stringify prints them, integers have neither fraction nor exponent below 1e21 (and -0 is 0): ints
  // to Python.
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  return Number.isFinite(value) ? pythonFloat(value) : refuse(`is ${value}`);
}

function renderBigint(value: bigint): string {
  const text = String(value);
  return hasTooManyDigits(text) ? refuse(`has more than ${MAX_DIGITS} digits`) : text;
}

function renderObject(value: object, depth: number): string | undefined {
  if (depth === MAX_DEPTH) refuse(`is nested deeper than ${MAX_DEPTH} levels or refers back to itself`);
  if ("toJSON" in value && typeof value.toJSON === "function") return render(value.toJSON(""), depth + 1);
  if (Array.isArray(value)) return renderArray(value, depth);
  if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    return render(value.valueOf(), depth);
  }
  return renderRecord(value as Record<string, unknown>, depth);
}

function renderArray(values: readonly unknown[], depth: number): string {
  let text = "";
  let i = 0;
  try {
    for (; i < values.length; i++) text += `,${render(values[i], depth + 1) ?? "null"}`;
  } catch (error) {
    if (error instanceof Unwritable) error.keys.push(i);
    throw error;
  }
  return `[${text.slice(1)}]`;
}

function renderRecord(record: Record<string, unknown>, depth: number): string {
  let text = "";
  let key = "";
  try {
    for (key of sortKeys(Object.keys(record))) {
      const value = render(record[key], depth + 1);
      if (value !== undefined) text += keyText(key) + value;
    }
  } catch (error) {
    if (error instanceof Unwritable) error.keys.push(key);
    throw error;
  }
  return `{${text.slice(1)}}`;
}

/** `,"key":` of keys seen before: payloads repeat theirs. Bounded, since a map's keys may be data. */
const keyTexts = new Map<string, string>();

function keyText(key: string): string {
  let text = keyTexts.get(key);
  if (text === undefined) {
    text = `,${quote(key)}:`;
    if (keyTexts.size < 10_000 && key.length <= 64) keyTexts.set(key, text);
  }
  return text;
}
