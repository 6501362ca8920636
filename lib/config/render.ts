/**
 * Writes a configuration as TOML, one line a value, with room for a comment on each.
 *
 * @module
 */
import { stringify } from "@std/toml";
import { dotted, isTable, type Path, type Table } from "./tree.ts";
import { printable, visibleJson } from "./visible.ts";

/**
 * The TOML text of a tree. `comment` is asked about every value; what it returns stands behind it after `# `,
 * aligned per table. Undefined values are left out, empty tables are kept.
 */
export function renderToml(
  tree: Table,
  comment: (path: Path) => string | undefined = () => undefined,
): string {
  return sections(tree, [])
    .map(({ path, table }) => section(path, table, comment))
    .filter((text) => text !== "")
    .join("\n");
}

interface Section {
  readonly path: Path;
  readonly table: Table;
}

/** Every table, each before those inside it. */
function sections(table: Table, path: Path): Section[] {
  const below = Object.entries(table).filter(([, value]) => isTable(value));
  return [{ path, table }, ...below.flatMap(([key, value]) => sections(value as Table, [...path, key]))];
}

function section(path: Path, table: Table, comment: (path: Path) => string | undefined): string {
  const values = Object.entries(table).filter(([, value]) => value !== undefined && !isTable(value));
  // The header of a table that only holds tables says nothing.
  if (values.length === 0 && (path.length === 0 || Object.keys(table).length > 0)) return "";
  const lines = values.map(([key, value]) => ({
    text: `${dotted([key])} = ${renderValue(value)}`,
    note: comment([...path, key]),
  }));
  // A long list does not push every comment of its table to the right.
  const width = Math.max(0, ...lines.map(({ text }) => text.length).filter((length) => length <= 60));
  const body = lines.map(({ text, note }) =>
    note === undefined ? `${text}\n` : `${text.padEnd(width)}  # ${printable(note)}\n`
  );
  return (path.length === 0 ? "" : `[${dotted(path)}]\n`) + body.join("");
}

function renderValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => renderValue(item)).join(", ")}]`;
  if (isTable(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${dotted([key])} = ${renderValue(item)}`);
    return `{ ${pairs.join(", ")} }`;
  }
  // The library knows how TOML writes texts, dates and numbers such as 1.0 and inf.
  return visibleJson(stringify({ x: value })).trim().slice("x = ".length);
}
