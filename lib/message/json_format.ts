/**
 * How Python's `json.dumps` prints the scalars (spec: wire 1.7): strings in ASCII, floats by `repr`, keys by
 * code point.
 *
 * @module
 */

// The order of ids and keys: by Unicode code point, as SQLite, PostgreSQL's "C" collation and sorted UTF-8
// bytes have it. JavaScript's own order of strings differs beyond U+FFFF.

/** Negative, zero or positive, as `a` comes before, is, or comes after `b`. */
export function compareCodePoints(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length;) {
    const [x, y] = [a.codePointAt(i) ?? 0, b.codePointAt(i) ?? 0];
    if (x !== y) return x - y;
    i += x > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}

/** Deepest nesting that is read or written; Python's own limit is about the same. */
export const MAX_DEPTH = 1000;

const NEEDS_ESCAPE = /[^ !#-\[\]-~]/;
const BEYOND_ASCII = /[\u007f-\uffff]/g;

/**
 * A string as JSON in pure ASCII: short escapes where JSON has them, otherwise `\uXXXX` per UTF-16 unit,
 * lower case.
 */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text).replace(BEYOND_ASCII, escapeUnit) : `"${text}"`;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Python's `repr` of a float: the shortest digits that read back the same, always with `.0` or an exponent,
 * the exponent signed and of two digits or more, used below 1e-4 and from 1e16 on.
 */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Infinity" : "Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e16) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits, exponent = ""] = value.toExponential().split("e");
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, "0")}`;
}

const PAIRED = /[\ud800-\udfff]/;

function hasPairs(text: string): boolean {
  return PAIRED.test(text);
}

/**
 * Sorts keys in place, by code point. An insertion sort, because objects have few keys, mostly in order, and
 * the built-in one costs more than all the rest of rendering; it takes over where keys are many.
 */
export function sortKeys(keys: string[]): string[] {
  // The order of UTF-16 units, which is built in, is that of code points where there are no pairs of them.
  if (keys.length > 64) return keys.some(hasPairs) ? keys.sort(compareCodePoints) : keys.sort();
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] as string;
    let j = i - 1;
    for (; j >= 0 && compareCodePoints(keys[j] as string, key) > 0; j--) keys[j + 1] = keys[j] as string;
    keys[j + 1] = key;
  }
  return keys;
}
