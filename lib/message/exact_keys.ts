/**
 * JSON.parse with the keys of objects as they are written.
 *
 * V8 (14 and 15 were seen, with Deno 2.5 to 2.9) guesses the next key of an object from objects made before.
 * It compares the guess with the characters of the text and not with what they stand for: once any object of
 * the process had the keys `k` and `0\`, the text `{"k":1,"0\n":2}` is read with the key `0\` in place of
 * `0` and a line feed. A guess can match only where the text has an escape, so keys with escapes are
 * kept from it.
 *
 * @module
 */
import { skipSpace, stringEnd } from "./json_text.ts";

type Reviver = (
  this: unknown,
  key: string,
  value: unknown,
  context?: { readonly source?: string },
) => unknown;

const COLON = 0x3a;

/**
 * Returns what `JSON.parse(text, reviver)` is documented to return. Where a key is written with an escape,
 * the reviver is given another name in its place: use it for values.
 *
 * Throws `SyntaxError`, as `JSON.parse` does.
 */
export function parseWithExactKeys(text: string, reviver?: Reviver): unknown {
  const keys = text.includes("\\") ? escapedKeys(text) : [];
  if (keys.length === 0) return JSON.parse(text, reviver);
  const prefix = unusedPrefix(text);
  const names = new Map(keys.map(({ from, end }, i) => [`${prefix}${i}`, text.slice(from, end)]));
  let parsed: unknown;
  try {
    parsed = JSON.parse(renamed(text, keys, [...names.keys()]), reviver);
  } catch {
    return JSON.parse(text, reviver); // throws what is wrong, at its place in the text as it was given
  }
  return withNames(parsed, new Map([...names].map(([name, lexeme]) => [name, JSON.parse(lexeme)])));
}

interface Place {
  readonly from: number;
  readonly end: number;
}

/** Strings with an escape that a colon follows. Text that is not JSON may have any. */
function escapedKeys(text: string): Place[] {
  const found: Place[] = [];
  let escape = text.indexOf("\\");
  for (let from = text.indexOf('"'); from >= 0;) {
    const end = stringEnd(text, from);
    if (end < 0) break;
    if (escape < from) escape = text.indexOf("\\", from);
    if (escape < 0) break;
    if (escape < end && text.charCodeAt(skipSpace(text, end)) === COLON) found.push({ from, end });
    from = text.indexOf('"', end);
  }
  return found;
}

/** The beginning of names that no key of the text has. */
function unusedPrefix(text: string): string {
  let prefix = "#";
  while (text.includes(`"${prefix}`)) prefix += "#";
  return prefix;
}

function renamed(text: string, keys: readonly Place[], names: readonly string[]): string {
  const parts: string[] = [];
  let at = 0;
  keys.forEach(({ from, end }, i) => {
    parts.push(text.slice(at, from), `"${names[i]}"`);
    at = end;
  });
  parts.push(text.slice(at));
  return parts.join("");
}

/** The same value with the keys that stand in `names` called as there. By a list, since JSON may be deep. */
function withNames(value: unknown, names: ReadonlyMap<string, string>): unknown {
  const root: unknown[] = [value];
  const open: object[] = [root];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    for (const [key, member] of Object.entries(holder)) {
      if (typeof member !== "object" || member === null) continue;
      const named = Array.isArray(member) ? member : renamedObject(member, names);
      if (named !== member) define(holder, key, named);
      open.push(named);
    }
  }
  return root[0];
}

function renamedObject(object: object, names: ReadonlyMap<string, string>): object {
  const entries = Object.entries(object);
  if (!entries.some(([key]) => names.has(key))) return object;
  const copy = {};
  for (const [key, member] of entries) define(copy, names.get(key) ?? key, member);
  return copy;
}

/** An own member, whatever its name: assigning to `__proto__` would set the prototype. */
function define(holder: object, key: string, value: unknown): void {
  // A tenth of what a definition takes.
  if (key !== "__proto__") (holder as Record<string, unknown>)[key] = value;
  else Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}
