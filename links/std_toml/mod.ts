/**
 * Stand-in for `jsr:@std/toml` over `npm:smol-toml`, used where JSR cannot be reached. Same names and results for
 * what this project uses; delete `links` from `deno.json` to use the real package.
 *
 * @module
 */
import * as smol from "smol-toml";

/** Parses TOML 1.0. Throws a `SyntaxError` whose cause carries the 1-based `line` and `column`. */
export function parse(text: string): Record<string, unknown> {
  try {
    return smol.parse(text) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof smol.TomlError) {
      const reason = cause.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
      throw new SyntaxError(`Parse error on line ${cause.line}, column ${cause.column}: ${reason}`, {
        cause,
      });
    }
    throw cause;
  }
}

/** Writes a plain object as TOML. */
export function stringify(value: Record<string, unknown>): string {
  return smol.stringify(value);
}
