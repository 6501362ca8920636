/**
 * From the scaffold to the files of a domain.
 *
 * @module
 */
import { type DomainNames, SCAFFOLD_NAMES } from "./names.ts";
import type { Files, Scaffold } from "./scaffold.ts";

/** What the domain is written in. Its text is the same: it names no types. */
export type Language = "typescript" | "javascript";

/** Where the library is in the folder of the domain. */
const LIBRARY = "vendor/protean-server";

/**
 * Returns the files by their paths in the domain's folder.
 *
 * @param schema JSON Schema of domain.toml.
 */
export function render(
  { domain, library }: Scaffold,
  names: DomainNames,
  language: Language,
  schema: string,
): Files {
  const own = new Set(Object.keys(domain).filter((path) => path.endsWith(".ts")));
  const inLanguage = (text: string) =>
    language === "typescript"
      ? text
      : text.replaceAll(/\b(\w+)\.ts\b/g, (found, stem) => own.has(found) ? `${stem}.js` : found);
  return {
    ...Object.fromEntries(
      Object.entries(domain).map(([path, text]) => [inLanguage(path), inLanguage(named(text, names))]),
    ),
    "domain.schema.json": schema,
    ...Object.fromEntries(Object.entries(library).map(([path, text]) => [`${LIBRARY}/${path}`, text])),
  };
}

function named(text: string, names: DomainNames): string {
  return text
    .replaceAll(SCAFFOLD_NAMES.snake, names.snake)
    .replaceAll(SCAFFOLD_NAMES.kebab, names.kebab);
}
