/**
 * Where an adapter's table stands in the configuration.
 *
 * @module
 */
import type { LoadedConfig } from "../config/loaded.ts";
import { type Diagnostic, placeOf } from "../diagnostics.ts";

/** The address, or else what tells of the table at all. */
const KEYS: readonly string[] = ["database_uri", "URI", "provider"];

/** File and line of `key`, else of the address of `section`; nothing where the user has set neither. */
export function placeInSection(
  { origins }: LoadedConfig,
  section: string,
  key = section,
): Pick<Diagnostic, "file" | "line"> {
  const found = [key, ...KEYS.map((name) => `${section}.${name}`)].find((name) => origins.has(name));
  return placeOf(found === undefined ? undefined : origins.get(found));
}
