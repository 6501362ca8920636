/**
 * A guide whose blocks of code a test executes: each is taken once, and what nobody has taken is told.
 *
 * @module
 */
import { type Block, blocks } from "./markdown.ts";

export class Guide {
  readonly text: string;
  readonly #left: Set<Block>;

  private constructor(text: string) {
    this.text = text;
    this.#left = new Set(blocks(text));
  }

  /** `name`: of a page in `docs/guides`, such as `shutdown`. */
  static async read(name: string): Promise<Guide> {
    return new Guide(await Deno.readTextFile(new URL(`../../docs/guides/${name}.md`, import.meta.url)));
  }

  /** The text of the next block in this language below this heading. Throws where there is none left. */
  take(heading: string, language: string): string {
    for (const block of this.#left) {
      if (block.heading !== heading || block.info !== language) continue;
      this.#left.delete(block);
      return block.text;
    }
    throw new Error(`There is no further block of ${language} below '${heading}'.`);
  }

  /** The lines of the next block of a shell, as words: the program, then its arguments. */
  commands(heading: string): readonly (readonly string[])[] {
    return this.take(heading, "sh").trimEnd().split("\n").map(words);
  }

  /** The blocks that nobody has taken. */
  get left(): readonly string[] {
    return [...this.#left].map(({ heading, info, line }) => `line ${line}: ${info} below '${heading}'`);
  }
}

/** The words of a line as a shell has them, with single quotes around what has blanks. */
export function words(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");
}
