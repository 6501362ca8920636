/**
 * Integers between JSON and a schema: JSON does not tell a bigint from a number, so the schema is asked
 * (`z.bigint()`, `z.int64()`).
 *
 * @module
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";

type Issue = StandardSchemaV1.Issue;

/** The rest of a sentence that begins with a field's name. */
export const TOO_LARGE =
  "is an integer that a number cannot hold exactly: declare the field as z.int64() or z.bigint(), or send it as a text";

/** A list of millions of bad items need not be tried item by item. */
const MAX_CHANGES = 1_000_000;
/** Deeper than JSON may be. */
const MAX_NESTED = 1000;

/**
 * `value` with bigints in place of the integers that a schema took issue with; undefined where it took issue
 * with none.
 */
export function withBigints(value: unknown, issues: readonly Issue[]): unknown {
  const places = issues.length > MAX_CHANGES ? [] : issues.flatMap((issue) => placesOf(issue));
  if (places.length > MAX_CHANGES) return undefined;
  const copies = new Map<object, object>();
  let root = value;
  let changed = false;
  for (const keys of places) {
    const given = at(value, keys);
    // By its digits, which are those that it was read from.
    if (!Number.isInteger(given) || !/^-?\d+$/.test(String(given))) continue;
    root = put(root, keys, BigInt(String(given)), copies);
    changed = true;
  }
  return changed ? root : undefined;
}

/** The issue, told in terms of what a number can hold where it is about a bigint. */
export function inExactWords(issue: Issue, value: unknown): Issue {
  return typeof at(value, keysOf(issue.path)) === "bigint" ? { ...issue, message: TOO_LARGE } : issue;
}

/**
 * Those of `issues` that bigints in place of numbers did not settle: a field that takes a bigint, and was
 * given one then, is not what is wrong. All of them where that leaves none.
 */
export function unsettled(issues: readonly Issue[], left: readonly Issue[]): readonly Issue[] {
  if (issues.length > MAX_CHANGES || left.length > MAX_CHANGES) return issues;
  const places = new Set(left.map(placeOf));
  const wrong = issues.filter((issue) => places.has(placeOf(issue)));
  return wrong.length === 0 ? issues : wrong;
}

function placeOf({ path }: Issue): string {
  return JSON.stringify(keysOf(path).map(String));
}

/**
 * Where an issue is. That of a union is where the union is; zod says beside it what each of its members
 * found.
 */
function placesOf(issue: Issue, above: readonly PropertyKey[] = []): PropertyKey[][] {
  const keys = [...above, ...keysOf(issue.path)];
  if (!("errors" in issue) || !Array.isArray(issue.errors) || keys.length > MAX_NESTED) return [keys];
  const members: readonly unknown[] = issue.errors.flat();
  return [keys, ...members.filter(isIssue).flatMap((inner) => placesOf(inner, keys))];
}

function isIssue(value: unknown): value is Issue {
  return typeof value === "object" && value !== null && "path" in value && Array.isArray(value.path);
}

/** Where a bigint of `input` is a number in `output`; undefined: nowhere. */
export function roundedIn(input: unknown, output: unknown): PropertyKey[] | undefined {
  if (typeof input === "bigint") return typeof output === "number" ? [] : undefined;
  if (!isContainer(input) || !isContainer(output)) return undefined;
  for (const key of Object.keys(input)) {
    if (!Object.hasOwn(output, key)) continue;
    const below = roundedIn((input as Container)[key], (output as Container)[key]);
    if (below) return [key, ...below];
  }
  return undefined;
}

type Container = Record<PropertyKey, unknown>;

function keysOf(path: Issue["path"] = []): PropertyKey[] {
  return path.map((part) => typeof part === "object" ? part.key : part);
}

function at(value: unknown, keys: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of keys) {
    if (!isContainer(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** `value` with `item` at a place; what is above it is copied, once. */
function put(
  value: unknown,
  keys: readonly PropertyKey[],
  item: bigint,
  copies: Map<object, object>,
): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return item;
  if (!isContainer(value)) return value;
  const copy = copyOf(value, copies);
  copy[key] = put(copy[key], rest, item, copies);
  return copy;
}

function copyOf(value: Container, copies: Map<object, object>): Container {
  const known = copies.get(value);
  if (known) return known as Container;
  const copy = (Array.isArray(value) ? [...value] : Object.assign(Object.create(null), value)) as Container;
  copies.set(value, copy).set(copy, copy);
  return copy;
}

/** Lists and plain objects: what JSON is made of. */
function isContainer(value: unknown): value is Container {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
