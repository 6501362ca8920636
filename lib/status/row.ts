/**
 * What is known of one subscription or outbox, as plain JSON (wire 8.7).
 *
 * @module
 */

export interface StatusRow {
  readonly name: string;
  readonly handler_name: string;
  readonly subscription_type: "stream" | "event_store" | "broker" | "outbox";
  readonly stream_category: string;
  /** Entries not yet delivered, rows not yet published; null is unknown, never zero. */
  readonly lag: number | null;
  readonly pending: number | null;
  /** Id of the last entry that the group was given; of the event store, the global position that was kept. */
  readonly current_position: string | null;
  /** Entries in the stream; the last global position of the category in the event store. */
  readonly head_position: number | null;
  /** `unknown` where there is no lag to judge by. */
  readonly status: "ok" | "lagging" | "unknown";
  readonly consumer_count: number | null;
  /** Dead letters of the stream; rows of the outbox that failed or were given up. */
  readonly dlq_depth: number | null;
  /**
   * What comes back by itself: dead letters on their way to the handler (delivery 19), rows that wait for
   * another attempt, messages of the event store that have failed and are tried again.
   */
  readonly returning: number | null;
  /**
   * Of an outbox: for how long its first due row has waited, 0 where none does. Of the event store: how old the
   * position is that was kept, 0 where nothing came after it.
   */
  readonly lag_seconds: number | null;
  /** Where a reader of the event store keeps its records (wire 4.6); absent for any other. */
  readonly position_stream?: string;
  readonly recovery_checkpoint_stream?: string;
  readonly failed_positions_stream?: string;
  /** Streams of one key each that Python's outbox publishes to instead; absent where there is none. */
  readonly partitions?: number;
}

/** What is told of a category that is parted, until subscriptions read its partitions (wire 2.11). */
export function partitioned(category: string, partitions: number): string {
  return `'${category}' is partitioned: Python publishes its messages to ${partitions} stream(s) of one key each, ` +
    "which this version does not read, so they do not arrive here: take sequential_by off the Python handlers of " +
    "this category, and remove its set of partitions once they are empty.";
}

/** What the figures say (wire 8.7). */
export function verdict(lag: number | null, pending: number | null): StatusRow["status"] {
  if (lag === null) return "unknown";
  return lag === 0 && (pending ?? 0) === 0 ? "ok" : "lagging";
}
