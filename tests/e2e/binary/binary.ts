/**
 * The compiled executable that the tests of this folder are about.
 *
 * @module
 */

/** Its path. Throws when `PROTEAN_BINARY` does not name one: `deno task e2e` compiles it and does. */
export function binary(): string {
  const path = Deno.env.get("PROTEAN_BINARY");
  if (!path) {
    throw new Error(
      "PROTEAN_BINARY names no executable: run 'deno task e2e', which compiles one and tests it.",
    );
  }
  return path;
}
