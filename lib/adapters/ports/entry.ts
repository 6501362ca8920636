/**
 * Entries of streams, as brokers hand them out.
 *
 * @module
 */

/** One entry of a stream: Redis's single field `data`, as text (wire 2.1). */
export interface StreamEntry {
  /** `<ms>-<n>`, ascending within a stream. */
  readonly id: string;
  /** Text of the field `data`; undefined when the entry has no such field, or its text was left out. */
  readonly data: string | undefined;
  /** Set where `data` is no more than the beginning of a text that is larger than was asked for. */
  readonly tooLarge?: TooLarge;
  /** Bytes of a text that was left out for the sake of `maxBytes`: `entries` brings it. */
  readonly omitted?: number;
}

/** What is known of a text that was not read. */
export interface TooLarge {
  /** Bytes of the whole. */
  readonly bytes: number;
  /** Of the whole, as 64 hexadecimal digits. */
  readonly sha256: string;
}

/**
 * An entry that this consumer now owns. `trimmed`: the stream no longer holds it, and it has left the pending
 * list (PIPE-7).
 */
export interface ClaimedEntry extends StreamEntry {
  readonly count: number;
  readonly trimmed: boolean;
  /** What `postpone` has kept of it, whoever asked for that. */
  readonly postponed?: Postponed | undefined;
}

/** An entry that its handler wants to have again later. */
export interface Postponed {
  /** How often that was so. */
  readonly times: number;
  /** Milliseconds that are left to wait; 0 where the time has come. */
  readonly ms: number;
}
