/**
 * Integers that a double cannot hold: read as bigint and written digit by digit, as Python has them (interop:
 * `int64-rounded`).
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import { parseWithExactKeys } from "./exact_keys.ts";

/** Python reads no integer with more digits. */
export const MAX_DIGITS = 4300;

/** Whether an integer, as it is written, has more of them; its sign is none. */
export function hasTooManyDigits(integer: string): boolean {
  return integer.length - (integer.startsWith("-") ? 1 : 0) > MAX_DIGITS;
}

/** An integer of fewer digits is held by a double. */
const LONG = 16;
const INTEGER = /^-?\d+$/;

/** What was read here and holds bigints; nothing else is looked through for them. */
const holders = new WeakSet<object>();

/**
 * `JSON.parse` with the keys as they are written, whose integers keep every digit. Throws `SyntaxError`, and
 * `DeserializationError` for an integer of too many digits.
 */
export function parseExact(json: string): unknown {
  if (!mayHoldLongInteger(json)) return parseWithExactKeys(json);
  let found = false;
  const value = parseWithExactKeys(json, (_key, value, context) => {
    const exact = exactly(value, context?.source);
    found ||= typeof exact === "bigint";
    return exact;
  });
  if (found && isObject(value)) holders.add(value);
  return value;
}

/**
 * Whether so many digits stand behind something that may stand before a number; seldom true of other text. So
 * long a run covers one of every so many places: only those are looked at, for this is done to every message.
 */
export function mayHoldLongInteger(json: string): boolean {
  for (let at = LONG - 1; at < json.length; at += LONG) {
    const unit = json.charCodeAt(at);
    if (unit < 0x30 || unit > 0x39) continue;
    let [from, end] = [at, at + 1];
    while (isDigit(json, from - 1)) from--;
    while (isDigit(json, end)) end++;
    if (end - from >= LONG && MAY_STAND_BEFORE.test(json.slice(Math.max(0, from - 2), from))) return true;
    at = end - 1;
  }
  return false;
}

const MAY_STAND_BEFORE = /(?:^|[:,[\s])-?$/;

function isDigit(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0x30 && unit <= 0x39;
}

function exactly(value: unknown, source: string | undefined): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value;
  // What prints as it was written was not changed.
  if (!INTEGER.test(source) || String(value) === source) return value;
  if (hasTooManyDigits(source)) {
    throw new DeserializationError(`The text holds an integer of more than ${MAX_DIGITS} digits.`);
  }
  return BigInt(source);
}

/** Whether `value` was read with bigints in it, or made of what was. */
export function holdsBigints(value: unknown): boolean {
  return isObject(value) && holders.has(value);
}

/** `part` belongs to, or was made of, something that holds bigints. */
export function keepsBigints<T>(part: T, whole: unknown): T {
  if (holdsBigints(whole) && isObject(part)) holders.add(part);
  return part;
}

/** A copy that `JSON.stringify` writes with every digit. */
export function withRawDigits(value: unknown): unknown {
  if (typeof value === "bigint") return rawJson(String(value));
  if (Array.isArray(value)) return value.map(withRawDigits);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withRawDigits(item)]));
}

function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
