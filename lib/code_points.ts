/**
 * The order of ids and keys: by Unicode code point, as SQLite, PostgreSQL's "C" collation and sorted UTF-8 bytes have it.
 * JavaScript's own order of strings differs beyond U+FFFF.
 *
 * @module
 */

/** Negative, zero or positive, as `a` comes before, is, or comes after `b`. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const difference = rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
