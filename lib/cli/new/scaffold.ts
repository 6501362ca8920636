/**
 * What `new` begins with, before it has a name.
 *
 * @module
 */

/** Texts by their paths, which are relative and have `/`. */
export type Files = Readonly<Record<string, string>>;

/** What the executable carries for `new`. */
export interface Scaffold {
  /** A domain called `new_domain`. */
  readonly domain: Files;
  /** The library, as a package that Deno links. */
  readonly library: Files;
}
