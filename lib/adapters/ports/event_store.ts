/**
 * The port of the event store.
 *
 * @module
 */
import { BaseAdapter } from "./adapter.ts";
import type { BaseProvider, EventAppend } from "./provider.ts";

/** A message read from the event store. */
export interface StoredEvent {
  readonly globalPosition: number;
  readonly position: number;
  readonly stream: string;
  readonly type: string;
  readonly data: string;
  /** JSON text. */
  readonly metadata: string;
  /** Epoch ms. */
  readonly time: number;
}

export interface ReadEventsOptions {
  /** @default 0 */
  readonly from?: number;
  /** Messages at most. */
  readonly limit: number;
  /**
   * Size of data and metadata together, in UTF-16 units, beyond which no further message is brought; the
   * first always is. @default no limit
   */
  readonly maxSize?: number;
}

export abstract class BaseEventStore extends BaseAdapter {
  /** True when appends can ride in that provider's own transaction, as `WriteSet.events` (delivery 15). */
  sharesTransactionWith(_provider: BaseProvider): boolean {
    return false;
  }

  /**
   * Appends in order, each at the end of its stream; returns positions, 0-based. Throws
   * `ExpectedVersionError`, and the reason of `signal` where that aborts before the append has begun: nothing
   * is appended then.
   */
  abstract append(
    events: readonly EventAppend[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly number[]>;
  /**
   * One stream (`shop::order-1`) by position, or a category (`shop::order`) or `$all` by global position;
   * inclusive `from`.
   */
  abstract read(stream: string, options: ReadEventsOptions): Promise<readonly StoredEvent[]>;
  /** The last message of a stream, category or `$all`. */
  abstract last(stream: string): Promise<StoredEvent | undefined>;

  /**
   * Calls `listener` soon after something may have been appended; a hint, which may come too often. Returns
   * the way to stop. Undefined: nobody tells, and whoever reads has to look again and again.
   */
  watch(_listener: () => void): (() => void) | undefined {
    return undefined;
  }
}
