/**
 * Ids of stream entries, as Redis writes them: `<ms>-<n>`, ascending within a stream (wire 2.1).
 *
 * @module
 */
import { IncorrectUsageError } from "../errors.ts";

/** An id in two numbers: milliseconds since the epoch, and a counter within the millisecond. */
export interface StreamId {
  readonly ms: number;
  readonly n: number;
}

/** The id before every entry: where a new group starts. */
export const ZERO_ID: StreamId = { ms: 0, n: 0 };

/** The id behind every entry: where reading backwards starts. */
export const END_ID: StreamId = { ms: Number.MAX_SAFE_INTEGER, n: Number.MAX_SAFE_INTEGER };

/** Reads `<ms>-<n>`, or `<ms>` alone for `<ms>-0`. Undefined: no stream id, so no entry has it. */
export function parseStreamId(text: string): StreamId | undefined {
  const match = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(text);
  if (!match) return undefined;
  const id = { ms: Number(match[1]), n: Number(match[2] ?? 0) };
  return Number.isSafeInteger(id.ms) && Number.isSafeInteger(id.n) ? id : undefined;
}

/** Reads the place to go on from; absent means `start`. Throws `IncorrectUsageError` for what is no id. */
export function parseCursor(after: string | undefined, start: StreamId = ZERO_ID): StreamId {
  if (after === undefined) return start;
  const id = parseStreamId(after);
  if (!id) {
    throw new IncorrectUsageError(
      `Cannot read a stream after '${after}': give an id such as 1767225600000-0.`,
    );
  }
  return id;
}

export function formatStreamId(id: StreamId): string {
  return `${id.ms}-${id.n}`;
}

/** Negative, zero or positive, as `a` comes before, is, or comes after `b`. */
export function compareStreamIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.n - b.n;
}

/** The id of the next entry: never below the last one, even when the clock steps back. */
export function nextStreamId(last: StreamId, now: number): StreamId {
  return now > last.ms ? { ms: now, n: 0 } : { ms: last.ms, n: last.n + 1 };
}
