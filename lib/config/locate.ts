/**
 * Which line of a TOML text each key stands on. The parser gives values without positions, so the text is walked a
 * second time, by a scanner that relies on the parser having accepted it.
 *
 * @module
 */
import { parse } from "@std/toml";
import { dotted, type Path } from "./tree.ts";

/**
 * Lines by dotted key, counted from 1: of keys, table headers and items of lists. A table that is only implied by a
 * longer key gets the first line that implies it. `text` must be valid TOML.
 */
export function locate(text: string): ReadonlyMap<string, number> {
  return new Scanner(text).scan();
}

class Scanner {
  readonly #lines = new Map<string, number>();
  /** Tables in each array of tables so far. */
  readonly #counts = new Map<string, number>();
  #at = 0;
  #line = 1;

  constructor(readonly text: string) {}

  scan(): ReadonlyMap<string, number> {
    let table: Path = [];
    this.#skipBlank();
    while (this.#at < this.text.length) {
      if (this.text.startsWith("[[", this.#at)) table = this.#arrayTableHeader();
      else if (this.text[this.#at] === "[") table = this.#tableHeader();
      else this.#pair(table);
      this.#skipBlank();
    }
    return this.#lines;
  }

  #tableHeader(): Path {
    this.#at++;
    const path = this.#indexed(this.#key());
    this.#skipPast("]");
    this.#note(path);
    return path;
  }

  #arrayTableHeader(): Path {
    this.#at += 2;
    const key = this.#key();
    const list = [...this.#indexed(key.slice(0, -1)), ...key.slice(-1)];
    this.#skipPast("]]");
    const count = this.#counts.get(dotted(list)) ?? 0;
    this.#counts.set(dotted(list), count + 1);
    const path = [...list, count];
    this.#note(path);
    return path;
  }

  /** `[fruit.size]` after `[[fruit]]` means the last fruit. */
  #indexed(key: Path): Path {
    let path: Path = [];
    for (const part of key) {
      path = [...path, part];
      const count = this.#counts.get(dotted(path));
      if (count !== undefined) path = [...path, count - 1];
    }
    return path;
  }

  #pair(table: Path): void {
    const line = this.#line;
    const path = [...table, ...this.#key()];
    this.#note(path, line);
    this.#skipPast("=");
    this.#value(path);
  }

  #note(path: Path, line = this.#line): void {
    for (let length = 1; length <= path.length; length++) {
      const key = dotted(path.slice(0, length));
      if (!this.#lines.has(key)) this.#lines.set(key, line);
    }
  }

  #key(): string[] {
    const parts: string[] = [];
    do {
      this.#skipSpaces();
      const start = this.#at;
      const quote = this.text[start];
      if (quote === '"' || quote === "'") {
        this.#quoted(quote);
        // Escapes in keys are rare; the parser knows them all.
        parts.push(...Object.keys(parse(`${this.text.slice(start, this.#at)} = 0`)));
      } else {
        while (/[A-Za-z0-9_-]/.test(this.text[this.#at] ?? "")) this.#at++;
        parts.push(this.text.slice(start, this.#at));
      }
      this.#skipSpaces();
    } while (this.text[this.#at] === "." && ++this.#at);
    return parts;
  }

  #value(path: Path): void {
    this.#skipSpaces();
    const first = this.text[this.#at];
    if (first === "[") this.#list(path);
    else if (first === "{") this.#inlineTable(path);
    else if (first === '"' || first === "'") this.#string(first);
    else do this.#at++; while (!/[,\]}\n#]/.test(this.text[this.#at] ?? "\n"));
  }

  #list(path: Path): void {
    this.#at++;
    for (let index = 0; this.#more("]"); index++) {
      this.#note([...path, index]);
      this.#value([...path, index]);
    }
  }

  #inlineTable(path: Path): void {
    this.#at++;
    while (this.#more("}")) this.#pair(path);
  }

  /** Moves to the next item of a list or inline table; false after moving past its end. */
  #more(end: string): boolean {
    this.#skipBlank();
    if (this.text[this.#at] === ",") {
      this.#at++;
      this.#skipBlank();
    }
    if (this.#at < this.text.length && this.text[this.#at] !== end) return true;
    this.#at++;
    return false;
  }

  #string(quote: string): void {
    const triple = quote.repeat(3);
    if (!this.text.startsWith(triple, this.#at)) return this.#quoted(quote);
    this.#at += 3;
    while (this.#at < this.text.length && !this.text.startsWith(triple, this.#at)) this.#step(quote);
    this.#at += 3;
    // Up to two quotes may stand directly before the closing three.
    while (this.text[this.#at] === quote) this.#at++;
  }

  #quoted(quote: string): void {
    this.#at++;
    while (this.#at < this.text.length && this.text[this.#at] !== quote) this.#step(quote);
    this.#at++;
  }

  /** One character of a string; a backslash takes the next one with it, except in literal strings. */
  #step(quote: string): void {
    if (quote === '"' && this.text[this.#at] === "\\") this.#at++;
    if (this.text[this.#at] === "\n") this.#line++;
    this.#at++;
  }

  #skipPast(mark: string): void {
    this.#skipSpaces();
    if (this.text.startsWith(mark, this.#at)) this.#at += mark.length;
  }

  #skipSpaces(): void {
    while (this.text[this.#at] === " " || this.text[this.#at] === "\t") this.#at++;
  }

  /** Spaces, line ends and comments. */
  #skipBlank(): void {
    while (this.#at < this.text.length) {
      const here = this.text[this.#at] ?? "";
      if (here === "#") { while (this.#at < this.text.length && this.text[this.#at] !== "\n") this.#at++; }
      else if (!/\s/.test(here)) return;
      else {
        if (here === "\n") this.#line++;
        this.#at++;
      }
    }
  }
}
