/**
 * Configuration trees before they are validated: plain tables of anything, and the paths into them.
 *
 * @module
 */
import { visibleJson } from "./visible.ts";

/** A table whose values are not known yet. */
export type Table = Readonly<Record<string, unknown>>;

/** Keys from the root; numbers are positions in a list. */
export type Path = readonly (string | number)[];

/** Keys that could reach a prototype; a configuration never needs one (SEC-3). */
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/** True for a plain table: not a list, not a date, not an instance of a class. */
export function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** `server.subscriptions."Commands:shop::order:command".max_retries`, `custom.hosts[0]`. */
export function dotted(path: Path): string {
  return path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    const name = /^[A-Za-z0-9_-]+$/.test(part) ? part : visibleJson(JSON.stringify(part));
    return index === 0 ? name : `.${name}`;
  }).join("");
}

/**
 * Whether `path` is what a dotted pattern means, or below it; `*` stands for one key:
 * `server.profiles.*.tick_interval`.
 */
export function matches(pattern: string, path: Path): boolean {
  const parts = pattern.split(".");
  return parts.length <= path.length && parts.every((part, index) => part === "*" || part === path[index]);
}

/** The value at `path`, looking at own keys only. */
export function valueAt(tree: unknown, path: Path): unknown {
  let value: unknown = tree;
  for (const key of path) {
    if (Array.isArray(value) && typeof key === "number") value = value[key];
    else if (isTable(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}

/** The table at `path`; an empty one when there is none. */
export function tableAt(tree: unknown, path: Path): Table {
  const value = valueAt(tree, path);
  return isTable(value) ? value : {};
}

/** Visits every value that is not a table; a list is one value. */
export function* leaves(tree: Table, path: Path = []): Generator<{ path: Path; value: unknown }> {
  for (const [key, value] of Object.entries(tree)) {
    if (isTable(value)) yield* leaves(value, [...path, key]);
    else yield { path: [...path, key], value };
  }
}

/** `over` on top of `base`: tables merge, everything else replaces, lists too (wire 7.2). */
export function merge(base: Table, over: Table): Table {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(base, key) ? base[key] : undefined;
    merged[key] = isTable(value) && isTable(below) ? merge(below, value) : value;
  }
  return merged;
}

/**
 * A copy without nulls, undefined values, keys that could reach a prototype and objects that contain
 * themselves; `refused` hears of the last two.
 */
export function clean(tree: Table, refused: (path: Path) => void): Table {
  const around = new Set<unknown>();
  const copy = (value: unknown, path: Path): unknown => {
    if (!Array.isArray(value) && !isTable(value)) return value;
    if (around.has(value)) {
      refused(path);
      return undefined;
    }
    around.add(value);
    const copied = Array.isArray(value)
      ? value.map((item, index) => copy(item, [...path, index])).filter(isGiven)
      : Object.fromEntries(entries(value, path));
    around.delete(value);
    return copied;
  };
  function* entries(table: Table, path: Path): Generator<[string, unknown]> {
    for (const [key, value] of Object.entries(table)) {
      const here = [...path, key];
      if (FORBIDDEN.has(key)) refused(here);
      else if (isGiven(value)) yield [key, copy(value, here)];
    }
  }
  return copy(tree, []) as Table;
}

function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined;
}
