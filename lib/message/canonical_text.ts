/**
 * Canonical JSON from JSON text, keeping what parsing to doubles loses: `10.0` stays a float, large integers
 * stay digit for digit. Slower than `canonicalJson`, and the only way to check a payload with such numbers
 * (spec: wire 1.7).
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import { hasTooManyDigits, MAX_DIGITS } from "./exact_numbers.ts";
import { compareCodePoints, MAX_DEPTH, pythonFloat, quote, sortKeys } from "./json_format.ts";
import { skipSpace, stringEnd } from "./json_text.ts";

/**
 * What Python would print canonically after reading `text`. Like Python it reads `NaN`, `Infinity` and
 * `-Infinity`, and the last of repeated keys wins. Time and memory are in proportion to `text`, however it is
 * nested. Throws `DeserializationError`, with the place, where `text` is not JSON or is nested deeper than
 * 1000 levels.
 */
export function canonicalText(text: string): string {
  return new Reader(text, "canonical").document();
}

/** The same for JSON parsers other than Python's: with `null` for `NaN` and the infinities. */
export function parsableText(text: string): string {
  return new Reader(text, "parsable").document();
}

/** Whether `text` is a JSON object as `canonicalText` reads it. Makes no value of it, whatever its size. */
export function isObjectText(text: string): boolean {
  if (text.charAt(skipSpace(text, 0)) !== "{") return false;
  try {
    new Reader(text, "nothing").read();
    return true;
  } catch (error) {
    if (error instanceof DeserializationError) return false;
    throw error;
  }
}

/** A string that is its own canonical text. */
const PLAIN_STRING = /"[ !#-\[\]-~]*"/y;
const INTEGER = /-?(?:0|[1-9]\d*)(?![.eE\d])/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;

/** Canonical text in order; the members of an object that had to be put in order are a list of their own. */
type Piece = string | readonly Piece[];

/** One member of an object: its pieces without the comma before it. */
interface Member {
  readonly key: string;
  readonly from: number;
  readonly end: number;
}

/**
 * A recursive-descent reader. What is canonical as it stands is taken over in one piece, from `#from` to
 * `#at`, once something else has to be written.
 */
class Reader {
  #at = 0;
  #from = 0;
  readonly #pieces: Piece[] = [];

  /** `writes`: what is to be made of the text. */
  constructor(readonly text: string, readonly writes: "canonical" | "parsable" | "nothing") {}

  document(): string {
    this.read();
    this.#flush();
    const [only = ""] = this.#pieces;
    return this.#pieces.length === 1 && typeof only === "string" ? only : joined(this.#pieces);
  }

  read(): void {
    this.#value(0);
    if (this.#peek() !== undefined) this.#fail("the end of the text");
  }

  #value(depth: number): void {
    const first = this.#peek();
    if (first === '"') return void this.#string();
    if (first !== "{" && first !== "[") {
      if (!this.#word() && !this.#number()) this.#fail("a value");
      return;
    }
    if (depth === MAX_DEPTH) this.#fail(`at most ${MAX_DEPTH} levels of nesting`);
    if (first === "{") this.#object(depth + 1);
    else this.#array(depth + 1);
  }

  #object(depth: number): void {
    const members: Member[] = [];
    let ordered = true;
    this.#take("{");
    for (let more = this.#peek() !== "}"; more; more = this.#comma("}")) {
      if (this.#peek() !== '"') this.#fail("a key in double quotes");
      this.#flush();
      const from = this.#pieces.length;
      const key = this.#string();
      this.#take(":");
      this.#value(depth);
      this.#flush();
      if (this.writes === "nothing") continue;
      const last = members.at(-1);
      ordered &&= !last || compareCodePoints(last.key, key) < 0;
      members.push({ key, from, end: this.#pieces.length });
    }
    if (!ordered) this.#reorder(members);
    this.#take("}");
  }

  /** Puts the members of the object that ends here in order, the last one of each key. */
  #reorder(members: readonly Member[]): void {
    const found = new Map<string, readonly Piece[]>();
    for (const { key, from, end } of members) found.set(key, this.#pieces.slice(from, end));
    const ordered: Piece[] = [];
    for (const key of sortKeys([...found.keys()])) {
      if (ordered.length > 0) ordered.push(",");
      ordered.push(found.get(key) ?? "");
    }
    this.#pieces.length = members[0]?.from ?? 0;
    this.#pieces.push(ordered);
  }

  #array(depth: number): void {
    this.#take("[");
    for (let more = this.#peek() !== "]"; more; more = this.#comma("]")) this.#value(depth);
    this.#take("]");
  }

  /** Reads a string, of a value or a key, and returns what it says. */
  #string(): string {
    const from = this.#at;
    if (this.#match(PLAIN_STRING)) return this.text.slice(from + 1, this.#at - 1);
    const end = stringEnd(this.text, from);
    const lexeme = end < 0 ? this.#fail("a closing quote") : this.text.slice(from, end);
    let value: string;
    try {
      value = JSON.parse(lexeme);
    } catch {
      return this.#fail("a string without control characters or unknown escapes");
    }
    this.#at = end;
    if (this.writes !== "nothing") this.#write(from, quote(value));
    return value;
  }

  #word(): boolean {
    const from = this.#at;
    if (!this.#match(WORD)) return false;
    // true, false and null are written in small letters.
    if (this.writes === "parsable" && /[NI]/.test(this.text.slice(from, from + 2))) this.#write(from, "null");
    return true;
  }

  #number(): boolean {
    const from = this.#at;
    if (this.#match(INTEGER)) {
      if (this.#at - from > MAX_DIGITS && hasTooManyDigits(this.text.slice(from, this.#at))) {
        this.#at = from;
        this.#fail(`an integer of at most ${MAX_DIGITS} digits`);
      }
      if (this.text.startsWith("-0", from)) this.#write(from, "0");
      return true;
    }
    if (!this.#match(NUMBER)) return false;
    if (this.writes === "nothing") return true;
    const value = Number(this.text.slice(from, this.#at));
    if (this.writes === "canonical") this.#write(from, pythonFloat(value));
    else if (!Number.isFinite(value)) this.#write(from, "null");
    return true;
  }

  /** Goes on behind what `pattern`, a sticky one, finds here. */
  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  /** `canonical` is what has been read since `from`. */
  #write(from: number, canonical: string): void {
    if (this.text.startsWith(canonical, from) && this.#at === from + canonical.length) return;
    const end = this.#at;
    this.#at = from;
    this.#flush();
    this.#pieces.push(canonical);
    this.#at = this.#from = end;
  }

  #flush(): void {
    if (this.writes === "nothing") return;
    if (this.#at > this.#from) this.#pieces.push(this.text.slice(this.#from, this.#at));
    this.#from = this.#at;
  }

  /** The next character that is no white space, left in place; undefined at the end. */
  #peek(): string | undefined {
    const at = skipSpace(this.text, this.#at);
    if (at > this.#at) {
      this.#flush();
      this.#at = this.#from = at;
    }
    return this.text[at];
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

function joined(pieces: readonly Piece[]): string {
  const texts: string[] = [];
  const collect = (some: readonly Piece[]) => {
    for (const piece of some) {
      if (typeof piece === "string") texts.push(piece);
      else collect(piece);
    }
  };
  collect(pieces);
  return texts.join("");
}
