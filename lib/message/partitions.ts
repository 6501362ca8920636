/**
 * Names of what a stream category is parted into where handlers declare `sequentialBy` (wire 2.11): one stream
 * for each value of a field, the partition key, and a set of the keys that there are. They equal Python's.
 *
 * @module
 */

/** Longest partition key, in UTF-16 units. */
const LONGEST_KEY = 255;

/** The stream of one key: `my_domain::order:42`. */
export function partitionStream(category: string, key: string): string {
  return `${category}:${key}`;
}

/** The set of a category's keys: `my_domain::order:__partitions__`. */
export function partitionIndex(category: string): string {
  return `${category}:__partitions__`;
}

/** Who owns a key in a group: `<owner>:<generation>`, for a time. */
export function partitionLease(group: string, key: string): string {
  return `${group}:${key}:__lease__`;
}

/** How often a key was owned in a group; it outlives both lease and stream. */
export function partitionGeneration(group: string, key: string): string {
  return `${group}:${key}:__generation__`;
}

/** Ours alone: the keys of a category at which a group stands still, with the reason. */
export function haltedPartitions(category: string, group: string): string {
  return `${category}:__halted__:${group}`;
}

/**
 * Why a text cannot be a partition key: its stream would be another's, or none. Undefined: it can. `suffix`:
 * `[server.priority_lanes] backfill_suffix`.
 */
export function unfitKey(key: string, suffix: string): string | undefined {
  if (key === "") return "is empty";
  if (key.length > LONGEST_KEY) return `is longer than ${LONGEST_KEY} characters`;
  if (key.includes(":")) return "contains ':'";
  if (key === "dlq" || key === suffix) return `is '${key}', which other streams of the category are called`;
  if (key.length >= 4 && key.startsWith("__") && key.endsWith("__")) return `is of the reserved form '__…__'`;
  return undefined;
}
