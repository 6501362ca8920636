/**
 * The order in which user code raised, published and sent, across all aggregates of a unit of work: outbox rows are
 * written in it.
 *
 * @module
 */
let last = 0;

/** A number above all before it. */
export function nextInOrder(): number {
  return ++last;
}
