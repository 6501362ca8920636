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
   * Of an outbox: for how long its first due row has waited. Of a stream, where ages were asked for: the age of
   * the first entry not yet delivered. Of the event store: the age of the position that was kept. 0 where none
   * waits.
   */
  readonly lag_seconds: number | null;
  /** Age of the first entry that was delivered and is not acknowledged; 0 where there is none. */
  readonly oldest_pending_seconds: number | null;
  /** Known to the engine that runs the subscription alone. */
  readonly breaker: "closed" | "open" | "half_open" | null;
  /** When the position was last recorded, ISO 8601; event-store subscriptions alone record one. */
  readonly last_updated: string | null;
  /** The streams of the event store that an event-store subscription keeps its books in. */
  readonly position_stream: string | null;
  readonly recovery_checkpoint_stream: string | null;
  readonly failed_positions_stream: string | null;
  /** Keys of a parted category, whose figures are in those above (wire 2.11); absent where there is none. */
  readonly partitions?: number;
  /** Of these, keys that stand still at a message that fails, and all that waits there. */
  readonly halted_partitions?: number;
  readonly held_back?: number;
}

/** What only subscriptions of other types have. */
export const NO_EVENT_STORE = {
  last_updated: null,
  position_stream: null,
  recovery_checkpoint_stream: null,
  failed_positions_stream: null,
} as const;

/** What the figures say (wire 8.7). */
export function verdict(lag: number | null, pending: number | null): StatusRow["status"] {
  if (lag === null) return "unknown";
  return lag === 0 && (pending ?? 0) === 0 ? "ok" : "lagging";
}
