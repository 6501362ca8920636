/**
 * Text that others wrote, made fit for a terminal: characters that drive it, forge lines or turn the order of
 * reading around are shown and not obeyed (SEC-3).
 *
 * @module
 */

/** DEL, C1, marks of the order of reading, and line ends that JSON does not escape. */
const UNSEEN = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const LINES = /[^\n]+/g;

/** JSON, or any text in which `\u0085` means what it says, with the same meaning. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, escaped);
}

/** Text on one line: control characters become spaces, the others are written as escapes. */
export function printable(text: string): string {
  return visibleJson(text.replace(/\p{Cc}+/gu, " "));
}

/** Text of several lines, each of them printable. */
export function printableLines(text: string): string {
  return text.replace(LINES, printable);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
