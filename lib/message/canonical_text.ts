/**
 * Canonical JSON from JSON text, keeping what parsing to doubles loses: `10.0` stays a float, large integers
 * stay digit for digit. Slower than `canonicalJson`, and the only way to check a payload with such numbers
 * (spec: wire 1.7).
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import { MAX_DEPTH, pythonFloat, quote, sortKeys } from "./json_format.ts";
import { skipSpace, stringEnd } from "./json_text.ts";

/**
 * What Python would print canonically after reading `text`. Like Python it reads `NaN`, `Infinity` and
 * `-Infinity`, and the last of repeated keys wins. Throws `DeserializationError`, with the place, where
 * `text` is not JSON or is nested deeper than 1000 levels.
 */
export function canonicalText(text: string): string {
  return new Reader(text).document();
}

/** A string that is its own canonical text. */
const PLAIN_STRING = /"[ !#-\[\]-~]*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;

/** A recursive-descent reader whose every method returns the canonical text of what it has read. */
class Reader {
  #at = 0;

  constructor(readonly text: string) {}

  document(): string {
    const canonical = this.#value(0);
    if (this.#peek() !== undefined) this.#fail("the end of the text");
    return canonical;
  }

  #value(depth: number): string {
    const first = this.#peek();
    if (first === '"') return this.#match(PLAIN_STRING) ?? quote(this.#string());
    if (first !== "{" && first !== "[") return this.#match(WORD) ?? this.#number() ?? this.#fail("a value");
    if (depth === MAX_DEPTH) this.#fail(`at most ${MAX_DEPTH} levels of nesting`);
    return first === "{" ? this.#object(depth + 1) : this.#array(depth + 1);
  }

  #object(depth: number): string {
    const members = new Map<string, string>();
    this.#take("{");
    for (let more = this.#peek() !== "}"; more; more = this.#comma("}")) {
      if (this.#peek() !== '"') this.#fail("a key in double quotes");
      const key = this.#key();
      this.#take(":");
      members.set(key, this.#value(depth));
    }
    this.#take("}");
    let text = "";
    for (const key of sortKeys([...members.keys()])) text += `,${quote(key)}:${members.get(key)}`;
    return `{${text.slice(1)}}`;
  }

  #array(depth: number): string {
    const items: string[] = [];
    this.#take("[");
    for (let more = this.#peek() !== "]"; more; more = this.#comma("]")) items.push(this.#value(depth));
    this.#take("]");
    return `[${items.join(",")}]`;
  }

  #key(): string {
    return this.#match(PLAIN_STRING)?.slice(1, -1) ?? this.#string();
  }

  #string(): string {
    const end = stringEnd(this.text, this.#at);
    const lexeme = end < 0 ? this.#fail("a closing quote") : this.text.slice(this.#at, end);
    try {
      const value = JSON.parse(lexeme) as string;
      this.#at = end;
      return value;
    } catch {
      return this.#fail("a string without control characters or unknown escapes");
    }
  }

  #number(): string | undefined {
    const lexeme = this.#match(NUMBER);
    if (lexeme === undefined || /^-?\d+$/.test(lexeme)) return lexeme === "-0" ? "0" : lexeme;
    return pythonFloat(Number(lexeme));
  }

  /** The text that `pattern`, a sticky one, finds here. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.text)) return undefined;
    const found = this.text.slice(this.#at, pattern.lastIndex);
    this.#at = pattern.lastIndex;
    return found;
  }

  /** The next character that is no white space, left in place; undefined at the end. */
  #peek(): string | undefined {
    this.#at = skipSpace(this.text, this.#at);
    return this.text[this.#at];
  }

  #take(mark: string): void {
    if (this.#peek() !== mark) this.#fail(`'${mark}'`);
    this.#at++;
  }

  /** True behind a comma, which another item must follow; false before the closing `end`. */
  #comma(end: string): boolean {
    const next = this.#peek();
    if (next === end) return false;
    if (next !== ",") this.#fail(`',' or '${end}'`);
    this.#at++;
    return true;
  }

  /** The message tells the place and never the text: payloads stay out of logs (SEC-4). */
  #fail(expected: string): never {
    throw new DeserializationError(
      `The text is not JSON: expected ${expected} at character ${this.#at + 1}.`,
    );
  }
}
