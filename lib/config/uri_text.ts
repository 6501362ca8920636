/**
 * What is wrong with the text of an address whatever it is the address of.
 *
 * @module
 */

const ADVICE = "remove it, also from the file or the variable that it comes from";

/**
 * How a sentence about a URI goes on that holds a line break, or begins or ends with a blank, which would
 * pass for a part of a name or a password; undefined for one that does not. A line break that is meant is
 * written as %0A.
 */
export function strayBlank(uri: string): string | undefined {
  const where = /^[\s\p{Cc}]/u.test(uri) ? "begins" : /[\s\p{Cc}]$/u.test(uri) ? "ends" : undefined;
  if (where !== undefined) {
    const edge = where === "begins" ? uri.charAt(0) : uri.charAt(uri.length - 1);
    return `${where} with ${/[\r\n]/.test(edge) ? "a line break" : "a blank"}: ${ADVICE}`;
  }
  return /[\r\n]/.test(uri) ? `has a line break in it: ${ADVICE}` : undefined;
}
