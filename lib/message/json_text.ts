/**
 * JSON as text: finding the members of an object without parsing it, so that what is kept keeps its number
 * lexemes. Everything here expects text that a parser has accepted.
 *
 * @module
 */

/** One `"key": value` of an object, by its places in the text. */
export interface Member {
  readonly key: string;
  /** Where the key's opening quote is. */
  readonly from: number;
  readonly valueFrom: number;
  /** Behind the value. */
  readonly end: number;
}

/** The members of the JSON object that `text` is, in order of writing, repeated keys included. */
export function members(text: string): Member[] {
  return [...eachMember(text)];
}

/** The same one by one: an object may have millions of them. */
export function* eachMember(text: string): Generator<Member> {
  let at = skipSpace(text, text.indexOf("{") + 1);
  while (text[at] === '"') {
    const keyEnd = stringEnd(text, at);
    const valueFrom = skipSpace(text, text.indexOf(":", keyEnd) + 1);
    const end = valueEnd(text, valueFrom);
    yield { key: JSON.parse(text.slice(at, keyEnd)), from: at, valueFrom, end };
    at = skipSpace(text, skipSpace(text, end) + 1);
  }
}

/** Text of one member's value: the last one's, as parsers have it, where the key is repeated. */
export function memberText(text: string, key: string): string | undefined {
  let found: Member | undefined;
  for (const member of eachMember(text)) if (member.key === key) found = member;
  return found && text.slice(found.valueFrom, found.end);
}

/** Index behind the closing quote of the string that opens at `from`, or -1 when it does not close. */
export function stringEnd(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (quote > 0 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote < 0 ? -1 : quote + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes++;
  return backslashes % 2 === 1;
}

/** Index of the first character at or behind `at` that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  for (;; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at;
  }
}

const [QUOTE, COMMA, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x22, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d];

/** Index behind the value that begins at `from`. */
function valueEnd(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return stringEnd(text, from);
  return first === OPEN || first === OPEN_LIST ? bracketEnd(text, from) : wordEnd(text, from);
}

function bracketEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from;; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = stringEnd(text, at) - 1;
    else if (unit === OPEN || unit === OPEN_LIST) depth++;
    else if ((unit === CLOSE || unit === CLOSE_LIST) && --depth === 0) return at + 1;
  }
}

/** A number, `true`, `null` and the like end before a comma, a bracket or white space. */
function wordEnd(text: string, from: number): number {
  for (let at = from;; at++) {
    const unit = text.charCodeAt(at);
    if (unit === COMMA || unit === CLOSE || unit <= 0x20) return at;
  }
}
