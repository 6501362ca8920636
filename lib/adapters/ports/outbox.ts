/**
 * The port of the transactional outbox, which every provider has (delivery 9).
 *
 * @module
 */

import { categoryOf } from "../../message/names.ts";
import { partitionStream } from "../../message/partitions.ts";

/** Shards of the outbox (delivery 9). */
export const OUTBOX_SHARDS = 16;

const encoder = new TextEncoder();

/**
 * Which shard of the outbox a stream belongs to. The number is stored with each row, so this function must
 * never change: rows of one stream in two shards could be published out of order.
 *
 * 0 to 15 (`OUTBOX_SHARDS`): the 32-bit FNV-1a hash of the stream's name in UTF-8, mixed once more
 * (`h ^= h >>> 16`, `h *= 0x85ebca6b`) because streams that differ in their last digit alone would share the
 * top bits, and of that the top four.
 */
export function shardOf(stream: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(stream)) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 28;
}

/**
 * What a row keeps its order in: its stream, or the stream of its key where the category is parted (wire
 * 2.11). Its shard is that of this text.
 */
export function orderOf(stream: string, partitionKey: string | undefined): string {
  return partitionKey === undefined ? stream : partitionStream(categoryOf(stream), partitionKey);
}

/** In the order in which they are listed. */
export const OUTBOX_STATUSES = ["pending", "processing", "published", "failed", "abandoned"] as const;
export type OutboxStatus = typeof OUTBOX_STATUSES[number];

export interface OutboxRow {
  /** Opaque; unique. */
  readonly id: string;
  readonly messageId: string;
  readonly streamName: string;
  readonly type: string;
  readonly data: string;
  /** JSON text of the metadata. */
  readonly metadata: string;
  readonly priority: number;
  /** Key of the partition that it goes to; absent where its category is not parted (wire 2.11). */
  readonly partitionKey?: string | undefined;
  readonly retryCount: number;
  /** Epoch ms of the commit's insert; for the latency histogram. */
  readonly createdAt: number;
}

/** What became of a claimed row. */
export type OutboxOutcome =
  | { readonly id: string; readonly status: "published" }
  /**
   * `retry_count` grows by one, unless it is `uncounted`; due again at `retryAt` (epoch ms). Holds back later
   * rows of its stream until then.
   */
  | {
    readonly id: string;
    readonly status: "failed";
    readonly error: string;
    readonly retryAt: number;
    /** The refusal says nothing of the row. @default false */
    readonly uncounted?: boolean;
  }
  /** Given up: listed by `outbox list`, revived by `outbox requeue`. Later rows of its stream go on. */
  | { readonly id: string; readonly status: "abandoned"; readonly error: string }
  /** Not tried, because an earlier row of its stream failed: pending again, uncounted. */
  | { readonly id: string; readonly status: "held" };

/**
 * One processor's share of the shards of one target broker's rows, kept from batch to batch; nobody else
 * claims from them meanwhile. The store is told by itself that the holder lives, where it wants to know.
 */
export interface OutboxLease {
  /** Those held now. */
  readonly shards: readonly number[];
  /**
   * Throws `ProviderUnavailableError` when the holder was not heard of for so long that the shards may be
   * another's. To be called right before rows are given to a broker.
   */
  assertHeld(): void;
  /**
   * The next rows in order of `seq`, marked `processing`, at most `limit`: pending ones and failed ones that
   * are due, without those whose stream has an earlier failed row that is not due. Rows that an earlier
   * holder left `processing` are retaken at once (delivery 9); rows this lease has claimed and not settled
   * are not claimed again. Empty: nothing is due.
   */
  claim(limit: number): Promise<readonly OutboxRow[]>;
  settle(outcomes: readonly OutboxOutcome[]): Promise<void>;
  /**
   * Brings the lease to its share: shards beyond it are let go, free ones are taken up to it. A share is an
   * even part of the shards among all leases on this broker's rows, rounded up. To be called while no claimed
   * row is unsettled.
   */
  share(): Promise<void>;
  /**
   * Epoch ms when the next failed row of these shards falls due that was not yet due at the last claim, if
   * any.
   */
  nextDue(): Promise<number | undefined>;
  /** Lets the shards go; unsettled rows stay `processing` for the next holder. Idempotent, never throws. */
  release(): Promise<void>;
}

export interface OutboxStats {
  readonly counts: Readonly<Record<OutboxStatus, number>>;
  /** Epoch ms of the oldest row not yet published nor abandoned. */
  readonly oldest: number | undefined;
}

/** How many rows of one target broker are not published. */
export type OutboxBacklog = Readonly<Record<Exclude<OutboxStatus, "published">, number>>;

/** A row that waits to be published. */
export interface OutboxWaiting {
  /** As in listings. */
  readonly id: string;
  /** Since its commit, by the store's own clock; whole milliseconds, never negative. */
  readonly waitedMs: number;
  /** How long ago it was looked, in milliseconds. @default 0 */
  readonly ageMs?: number;
}

export interface OutboxListing {
  readonly id: string;
  readonly messageId: string;
  readonly streamName: string;
  readonly type: string;
  readonly status: OutboxStatus;
  readonly targetBroker: string;
  readonly retryCount: number;
  readonly lastError: string | undefined;
  readonly createdAt: number;
}

/** The outbox table of one provider. Rows are inserted by `ProviderSession.commit`. */
export interface OutboxStore {
  /**
   * A lease with this holder's share of the shards as far as that is free, due or not; `share()` does the
   * rest.
   */
  lease(options: { readonly broker: string; readonly owner: string }): Promise<OutboxLease>;
  /**
   * Calls `wake` soon after a commit with outbox rows: at once in this process, by a coalesced hint from
   * others. Only a hint: it may be late, doubled or missing, the poll is the truth (OBX-2). Returns the way
   * to stop it.
   */
  watch(wake: () => void): () => void;
  stats(): Promise<OutboxStats>;
  /**
   * What of one target broker is not published. Costs no look at the published rows, however many are kept.
   */
  backlog(broker: string): Promise<OutboxBacklog>;
  /**
   * Those of the messages that have a row for that broker, whatever became of it. Absent: what the event store
   * has and the outbox has not is not found at the start of a server (S58).
   */
  present?(messageIds: readonly string[], broker: string): Promise<readonly string[]>;
  /**
   * The first row of one target broker that is due and not published, in order of `seq`, whoever holds its
   * shard; undefined: none is. One that stays the first while time passes is published by nobody. Cheap: it
   * costs no look at the history, and where a look is slow the answer may be some seconds old. `maxAgeMs`: an
   * answer that somebody else has had so recently will do. @default 0
   */
  oldestDue(broker: string, maxAgeMs?: number): Promise<OutboxWaiting | undefined>;
  list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]>;
  /** Abandoned (or failed) rows become pending with `retry_count` 0; all of them when `ids` is undefined. */
  requeue(ids?: readonly string[]): Promise<number>;
  /**
   * Deletes published rows and abandoned rows older than the given epochs, at most `limit` (OBX-5); by which
   * clock, as `BaseProvider.cleanMarks` says.
   */
  clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number>;
}
