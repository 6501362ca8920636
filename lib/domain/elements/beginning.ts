/**
 * The beginning of a large value: whether a schema refuses most of it is found there, before it makes an
 * issue for each of millions of items (SEC-3, point 3 of issue 10: a schema answers only when it is done).
 *
 * @module
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";

type Issue = StandardSchemaV1.Issue;

/** Members that a beginning has, those of its members included. */
const MOST_MEMBERS = 20_000;
/** What is nested deeper stays as it is. */
const DEEPEST = 200;

type Container = Readonly<Record<PropertyKey, unknown>>;

/**
 * The first members of `value`, in order of writing; undefined where it has no more than that.
 * What was not cut is the same object as in `value`. JSON values only.
 */
export function beginningOf(value: unknown): unknown {
  const room = { left: MOST_MEMBERS };
  const beginning = cutTo(value, room, 0);
  return beginning === value ? undefined : beginning;
}

function cutTo(value: unknown, room: { left: number }, depth: number): unknown {
  if (!isContainer(value) || depth > DEEPEST) return value;
  const kept: [string, unknown][] = [];
  let whole = true;
  // A list has its places; to list them all would take as long as the rest of it.
  for (const key of Array.isArray(value) ? placesOf(value) : Object.keys(value)) {
    if (room.left <= 0) {
      whole = false;
      break;
    }
    room.left--;
    const member = cutTo(value[key], room, depth + 1);
    whole &&= member === value[key];
    kept.push([String(key), member]);
  }
  if (whole) return value;
  return Array.isArray(value) ? kept.map(([, member]) => member) : Object.fromEntries(kept);
}

function* placesOf(list: readonly unknown[]): Generator<number> {
  for (let place = 0; place < list.length; place++) yield place;
}

/**
 * Those of the issues with a beginning that are issues with the whole too: each about a member that is in both
 * as it is.
 */
export function lasting(issues: readonly Issue[], beginning: unknown, whole: unknown): readonly Issue[] {
  return issues.filter(({ path = [] }) => {
    let [cut, given] = [beginning, whole];
    for (const part of path) {
      const key = typeof part === "object" ? part.key : part;
      if (!isContainer(cut) || !isContainer(given) || !Object.hasOwn(cut, key)) return false;
      [cut, given] = [cut[key], given[key]];
    }
    return path.length > 0 && cut === given;
  });
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}
