/**
 * What is wrong with the text of an address whatever it is the address of.
 *
 * @module
 */

/**
 * How a sentence about a URI goes on that begins or ends with a blank or a line break, which would pass for a
 * part of a name; undefined for one that does not.
 */
export function blankAtEdge(uri: string): string | undefined {
  const [found] = /^[\s\p{Cc}]|[\s\p{Cc}]$/u.exec(uri) ?? [];
  if (found === undefined) return undefined;
  const what = found === "\n" || found === "\r" ? "a line break" : "a blank";
  const where = uri.startsWith(found) && !uri.endsWith(found) ? "begins" : "ends";
  return `${where} with ${what}: remove it, also from the file or the variable that it comes from`;
}
