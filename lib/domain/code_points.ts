/**
 * The order of ids: by Unicode code point, as the adapters have it. `<` compares UTF-16 units, which differs where
 * surrogates meet U+E000 to U+FFFF.
 *
 * @module
 */

/** For `sort`. */
export function byCodePoint(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0);
  }
  return a.length - b.length;
}
