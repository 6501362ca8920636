/**
 * The examples in documentation comments.
 *
 * @module
 */

/** One block of code. */
export interface DocExample {
  /** Path below the root. */
  readonly path: string;
  readonly code: string;
}

const COMMENT = /\/\*\*(?:(?!\*\/)[^])*\*\//g;
/** A block that says `ignore` is one that shows a part of something. */
const BLOCK = /^[ \t]*\* ```ts\n([^]*?)^[ \t]*\* ```$/gm;

/** Every example of a module, in order; those that say `ts ignore` are left out. */
export function docExamples(path: string, text: string): readonly DocExample[] {
  return [...text.matchAll(COMMENT)].flatMap(([comment]) =>
    [...comment.matchAll(BLOCK)].map(([, code = ""]) => ({ path, code: code.replace(/^[ \t]*\* ?/gm, "") }))
  );
}
