/**
 * The counts of what the letters of a queue failed of, wherever they are kept (operations 6). What the Redis
 * adapter does in Lua is done here for brokers of this process.
 *
 * A letter is counted if its id is not above `upto`: whoever writes or removes one decides by that.
 *
 * @module
 */
import { failureOf } from "../message/failure_group.ts";
import type { FailureCount } from "./ports/broker.ts";
import { compareStreamIds, type StreamId } from "./stream_id.ts";

/** Groups of one queue that are told apart. */
export const MOST_GROUPS = 1_000;
/** The group of all that come beyond them. */
export const OTHER = "other";
/** Notes that one queue has. */
export const MOST_NOTES = 1_000;

/** Where the counts of one queue are kept, in the caller's transaction. */
export interface FailureBook {
  /** The last letter that is counted, and how many are. */
  upto: { readonly id: StreamId; readonly total: number };
  find(fingerprint: string): FailureCount | undefined;
  put(group: FailureCount): void;
  drop(fingerprint: string): void;
  /** Groups there are, `other` included. */
  readonly size: number;
}

/** Counts the letter behind those that are counted. */
export function raise(book: FailureBook, id: StreamId, data: string | undefined): void {
  const failure = failureOf(data);
  const other = { fingerprint: OTHER, handler: OTHER, named: false, errorType: OTHER, type: OTHER };
  // Who is not told apart is told apart again once none of the others is left: each is lowered where it was
  // raised.
  const isFull = () => book.size >= MOST_GROUPS || book.find(OTHER) !== undefined;
  const kind = book.find(failure.fingerprint) || !isFull() ? failure : other;
  const { count = 0, first = id.ms, last = id.ms } = book.find(kind.fingerprint) ?? {};
  book.put({ ...kind, count: count + 1, first, last: Math.max(last, id.ms) });
  book.upto = { id, total: book.upto.total + 1 };
}

/** The letter is removed. */
export function lower(book: FailureBook, id: StreamId, data: string | undefined): void {
  const { id: upto, total } = book.upto;
  if (compareStreamIds(id, upto) > 0) return;
  const group = book.find(failureOf(data).fingerprint) ?? book.find(OTHER);
  if (group && group.count > 1) book.put({ ...group, count: group.count - 1 });
  else if (group) book.drop(group.fingerprint);
  book.upto = { id: upto, total: Math.max(0, total - 1) };
}
