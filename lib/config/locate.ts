/**
 * Which line of a TOML text each key stands on. `@std/toml`, which reads the values, tells no positions.
 *
 * @module
 */
import { type AST, parseTOML } from "toml-eslint-parser";
import { dotted, type Path } from "./tree.ts";

/** Lines by dotted key, counted from 1. */
export type Lines = ReadonlyMap<string, number>;

/**
 * The lines of keys, table headers and items of lists. A table that is only implied by a longer key gets the
 * first line that implies it. Text that is not TOML to this parser has no lines.
 */
export function locate(text: string): Lines {
  const lines = new Map<string, number>();
  const note = (path: Path, line: number) => {
    for (let length = 1; length <= path.length; length++) {
      const key = dotted(path.slice(0, length));
      if (!lines.has(key)) lines.set(key, line);
    }
  };
  const pair = ({ key, value }: AST.TOMLKeyValue, table: Path) => {
    const path = [...table, ...key.keys.map((part) => part.type === "TOMLBare" ? part.name : part.value)];
    note(path, key.loc.start.line);
    content(value, path);
  };
  const content = (value: AST.TOMLContentNode, path: Path) => {
    if (value.type === "TOMLInlineTable") { for (const one of value.body) pair(one, path); }
    if (value.type !== "TOMLArray") return;
    for (const [index, item] of value.elements.entries()) {
      note([...path, index], item.loc.start.line);
      content(item, [...path, index]);
    }
  };
  for (const part of parsed(text)) {
    if (part.type === "TOMLKeyValue") pair(part, []);
    else {
      note(part.resolvedKey, part.key.loc.start.line);
      for (const one of part.body) pair(one, part.resolvedKey);
    }
  }
  return lines;
}

function parsed(text: string): readonly (AST.TOMLTable | AST.TOMLKeyValue)[] {
  try {
    return parseTOML(text).body[0].body;
  } catch {
    return [];
  }
}
