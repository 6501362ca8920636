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
  if (!id) throw noCursor(after);
  return id;
}

function noCursor(after: string): IncorrectUsageError {
  return new IncorrectUsageError(
    `Cannot read a stream after '${after}': give an id such as 1767225600000-0.`,
  );
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

// Ids as texts, for brokers that take them from others: a stream whose first id was given in nanoseconds goes
// on with ids that no number holds exactly.

const ID = /^(\d{1,20})(?:-(\d{1,20}))?$/;
const LARGEST = 2n ** 64n - 1n;

/** True for what Redis takes as the id of an entry: two integers of 64 bits, the second may be missing. */
export function isStreamId(text: string): boolean {
  return ID.test(text) && partsOf(text).every((part) => part <= LARGEST);
}

/** Returns the place to go on from as it is. Throws `IncorrectUsageError` for what is no id. */
export function cursorText(after: string): string {
  if (!isStreamId(after)) throw noCursor(after);
  return after;
}

/** Negative, zero or positive, as `a` comes before, is, or comes after `b`. What is no id comes first. */
export function compareIdTexts(a: string, b: string): number {
  const [aMs, aN] = partsOf(a);
  const [bMs, bN] = partsOf(b);
  if (aMs !== bMs) return aMs < bMs ? -1 : 1;
  return aN === bN ? 0 : aN < bN ? -1 : 1;
}

/** The id right behind `text` in its millisecond; itself where there is none. */
export function idTextBehind(text: string): string {
  const [ms, n] = partsOf(text);
  return `${ms}-${n < LARGEST ? n + 1n : n}`;
}

function partsOf(text: string): readonly [ms: bigint, n: bigint] {
  const [, ms = "0", n = "0"] = ID.exec(text) ?? [];
  return [BigInt(ms), BigInt(n)];
}
