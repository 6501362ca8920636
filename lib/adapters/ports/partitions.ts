/**
 * The port of parted stream categories (`sequentialBy`, wire 2.11): a stream for each value of a field, its
 * key, and one owner of each key in each group at any time. Who has lost a key can neither read nor
 * acknowledge, whatever it believes: every step is taken together with a look at who owns it.
 *
 * @module
 */
import type { Lock } from "./lock.ts";
import type { ClaimedEntry } from "./entry.ts";

export interface PartitionLeaseOptions {
  readonly group: string;
  readonly key: string;
  /** Who asks: the name of a subscription in its process. */
  readonly owner: string;
  /** How long the key stays with an owner that is not heard of. */
  readonly ttlMs: number;
  /** How often the owner is heard of. */
  readonly renewMs: number;
}

/** A key that is owned. `signal` aborts when it is lost; disposing gives it back at once. */
export interface PartitionLease extends Lock {
  /** `<owner>:<generation>`: unlike that of any other owner before and after. The consumer of its entries. */
  readonly fence: string;
}

/** Why a group stands still at a key. Plain JSON. */
export interface Halt {
  /** The entry that comes next, and fails. */
  readonly id: string;
  readonly attempts: number;
  readonly handler: string;
  readonly error_type: string;
  readonly error_message: string;
  /** ISO 8601, as `failed_at` of dead letters. */
  readonly halted_at: string;
  /** The fence of the owner who noted it. */
  readonly owner: string;
}

export interface HaltedPartition {
  readonly key: string;
  readonly halt: Halt;
}

/**
 * `pending`: it was delivered before, to us or to an owner before us, with that count. Else it is new and its
 * count is 1.
 */
export interface PartitionEntry extends ClaimedEntry {
  readonly pending: boolean;
}

/**
 * One key of a category, as its owner has it. Methods reject with `FencedError` once the key is another's and
 * with `GroupMissingError` where the stream is gone; those about an entry also find out whether it is still
 * this owner's.
 */
export interface Partition {
  /** `<category>:<key>`. */
  readonly stream: string;
  readonly group: string;
  /** The fence of its lease. */
  readonly consumer: string;
  /**
   * Once, before anything is read: makes the group, takes over what owners before have left, whose counts
   * stay, and forgets that the group stood still here. False: the key is not among those of the category (any
   * more).
   */
  adopt(): Promise<boolean>;
  /** The first entry that is pending here, else the next one; undefined: there is none. One at a time. */
  next(): Promise<PartitionEntry | undefined>;
  /** See `StreamGroup`. */
  attempt(id: string): Promise<number | undefined>;
  refresh(ids: readonly string[]): Promise<readonly string[]>;
  ack(ids: readonly string[]): Promise<void>;
  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean>;
  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void>;
  trim(maxLength: number): Promise<number>;
  /**
   * The group stands still here from now on: notes why, with the entry, which stays pending with that count.
   * False: the entry was not ours.
   */
  halt(halt: Halt, count: number): Promise<boolean>;
  /**
   * Whether it is noted that the group stands still here. A note is forgotten whose entry is pending no more:
   * somebody has removed the entry, or the group, by other means.
   */
  halted(): Promise<boolean>;
  /**
   * Removes key and stream if the last entry is older than `idleMs` and every group is done with all of them;
   * of the key's backfill lane as well, which only Python writes.
   */
  reap(idleMs: number): Promise<boolean>;
  /** Forgets this consumer where nothing is pending on it. */
  retire(): Promise<void>;
}

/** What an operator does with the entry at which a group stands still. */
export interface Unblock {
  readonly stream: string;
  readonly group: string;
  readonly halted: HaltedPartition;
  /** Where the entry goes instead of being dropped. */
  readonly letter?: { readonly deadLetterStream: string; readonly data: string };
}

export interface Partitions {
  /** Keys of a category; empty where it is whole. */
  keys(stream: string): Promise<readonly string[]>;
  /** How many keys there are. */
  count(stream: string): Promise<number>;
  /** Takes a key for an owner; undefined: somebody owns it. */
  lease(options: PartitionLeaseOptions): Promise<PartitionLease | undefined>;
  /** `maxEntryBytes`: see `TextLimits`. */
  open(
    options: {
      readonly stream: string;
      readonly key: string;
      readonly group: string;
      readonly lease: PartitionLease;
      readonly maxEntryBytes?: number | undefined;
      /** `[server.priority_lanes] backfill_suffix`: Python has a second stream for a key. @default none is looked for */
      readonly backfillSuffix?: string | undefined;
    },
  ): Partition;
  /** Of these keys, those where the group may have something unread or pending, or is not there at all. */
  news(stream: string, group: string, keys: readonly string[]): Promise<readonly string[]>;
  /** Keys at which the group stands still, in order of key. */
  halted(stream: string, group: string): Promise<readonly HaltedPartition[]>;
  /**
   * Acknowledges the entry at which a group stands still, moving it to the dead letters where asked to, in one
   * step; its owner goes on with the next. False: the group stands still there no more, or at another entry.
   */
  unblock(unblock: Unblock): Promise<boolean>;
  /**
   * Figures of the group over all keys together, or over `keys`, in at most so many streams; undefined: there
   * are more.
   */
  info(
    stream: string,
    group: string,
    most: number,
    keys?: readonly string[],
  ): Promise<PartitionsInfo | undefined>;
}

/** As `GroupInfo`, summed up over all keys. */
export interface PartitionsInfo {
  readonly keys: number;
  readonly length: number;
  /** Null is unknown, never zero. */
  readonly lag: number | null;
  readonly pending: number;
  readonly consumers: number;
}
