/**
 * The port of message streams: consumer groups, dead letters.
 *
 * @module
 */
import { NotSupportedError } from "../../errors.ts";
import { BaseAdapter } from "./adapter.ts";
import type { AlertRecords } from "./alerts.ts";
import type { ClaimedEntry, Postponed, StreamEntry } from "./entry.ts";
import type { Lock, LockOptions } from "./lock.ts";
import type { OperationRecords } from "./operations.ts";
import type { Partitions } from "./partitions.ts";
import type { Peers } from "./peers.ts";
import type { Rollups } from "./rollups.ts";

export interface BrokerCapabilities {
  /** Runs inside this process with no server. */
  readonly embedded: boolean;
  /**
   * A `publish` that refuses an entry refuses those behind it on the same stream too. Without this the outbox
   * publishes the rows of one aggregate's stream one at a time, so that none overtakes one that was refused.
   * @default false
   */
  readonly inOrder?: boolean;
}

/** How much text entries may bring. Adapters that hold the text in memory anyway may pass over both. */
export interface TextLimits {
  /**
   * Bytes of the largest text that is brought whole. Of a larger one, `data` is the first 64 kB, cut at a
   * whole character; the rest is never decoded. @default no limit
   */
  readonly maxEntryBytes?: number | undefined;
  /**
   * Bytes of all texts together: those of further entries are left out, never that of the first.
   * @default no limit
   */
  readonly maxBytes?: number | undefined;
}

/** An entry found in the pending list. */
export interface PendingEntry {
  readonly id: string;
  readonly consumer: string;
  /**
   * Since it was last delivered, claimed or refreshed; Infinity where its consumer's process is known to be
   * dead.
   */
  readonly idleMs: number;
  /** Started attempts (delivery 2): 1 after its first delivery. */
  readonly count: number;
}

export interface ReadOptions {
  readonly count: number;
  /** Longest wait for a first entry. 0 or absent: returns at once. Never endless. */
  readonly blockMs?: number;
  /** Cuts the wait; the read then resolves with what had been delivered, possibly nothing (delivery 6). */
  readonly signal?: AbortSignal;
  /**
   * Acknowledged together with this read, before it (design 11). Lost if the read rejects: the caller keeps
   * them until it resolves.
   */
  readonly ack?: readonly string[];
  /** See `TextLimits`. Instead of leaving out the text of entries, a read may deliver fewer of them. */
  readonly maxBytes?: number | undefined;
}

/**
 * One consumer of one group on one stream. Entries read or claimed are pending on this consumer until
 * acknowledged, dead-lettered, released, or claimed by somebody else. Methods that touch an entry check,
 * atomically, that the pending list still names this consumer: a bare claim would steal back what another has
 * claimed (delivery 1).
 */
export interface StreamGroup {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /**
   * Creates stream and group where missing (from the beginning, wire 2.2). True when it created the group.
   */
  ensure(): Promise<boolean>;
  /** New entries, in order. Their count becomes 1. One read at a time. Throws `GroupMissingError`. */
  read(options: ReadOptions): Promise<readonly StreamEntry[]>;
  /**
   * After a read that failed: once this resolves, nothing of it is under way any more, so what is pending on
   * this consumer is all that it was delivered (D18). Rejects as `read` does; an abort ends the wait. Absent:
   * a read that has failed is over.
   */
  relink?(signal?: AbortSignal): Promise<void>;
  /**
   * Returns how many were still pending in the group (any consumer). On a lane the entries are removed too.
   */
  ack(ids: readonly string[]): Promise<number>;
  /**
   * Resets the idle time of those still owned; returns the ids that are not (delivery 1). Never raises a
   * count.
   */
  refresh(ids: readonly string[]): Promise<readonly string[]>;
  /**
   * Before every start after the first: raises the count and returns it, or undefined when the entry is no
   * longer ours.
   */
  attempt(id: string): Promise<number | undefined>;
  /**
   * Keeps beside an entry of ours that its handler wants it again after `ms`, and sets its count to `count`,
   * in one step: a process that takes it over learns of both (`ClaimedEntry.postponed`). False: it was not
   * ours. It may be forgotten a week after the last one of the group was postponed. Absent: only who has the
   * entry knows.
   */
  postpone?(id: string, postponed: Postponed, count: number): Promise<boolean>;
  /** What `postpone` has kept of entries that are over. Absent: it goes with the entries. */
  forgetPostponed?(ids: readonly string[]): Promise<void>;
  /** The pending list in order of id, after `after`, of all consumers or of one. */
  pending(
    options: {
      readonly limit: number;
      readonly after?: string;
      readonly consumer?: string;
      readonly minIdleMs?: number;
    },
  ): Promise<readonly PendingEntry[]>;
  /**
   * Takes entries over without counting, each only if `from` still owns it and it has been idle for
   * `minIdleMs` (a dead process's entry always qualifies). Returns those taken; trimmed ones are dropped from
   * the pending list and marked. `maxBytes`: see `TextLimits`.
   */
  claim(
    entries: readonly { readonly id: string; readonly from: string }[],
    minIdleMs: number,
    maxBytes?: number,
  ): Promise<readonly ClaimedEntry[]>;
  /**
   * True while entries are pending on a consumer of which it is not known yet whether its process lives, or
   * on one that is gone: a subscription that begins takes those first, so that younger messages of their
   * streams do not overtake them. Absent: never.
   */
  unclear?(): Promise<boolean>;
  /**
   * Atomically: append `data` to `deadLetterStream` and acknowledge, if still owned. False: it was not ours,
   * nothing was written.
   */
  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean>;
  /**
   * Hands an entry of ours to a live consumer of the group that is another program's: it finds the entry
   * among its own, and whoever finds it again counts it. For groups that are shared with Python, which
   * handles what we do not (delivery 5). Absent: there never is such a consumer.
   */
  handOver?(id: string): Promise<HandedOver>;
  /**
   * Hands entries back so that anyone claims them at once, with the given count (delivery 7). Those not owned
   * are left alone.
   */
  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void>;
  /**
   * Soft cap (delivery 8): drops the oldest entries beyond `maxLength` that every group has read and
   * acknowledged. Returns how many.
   */
  trim(maxLength: number): Promise<number>;
  /** Deletes this consumer if it has nothing pending, atomically checked (PIPE-9). */
  retire(): Promise<boolean>;
  /**
   * Deletes other consumers that have nothing pending and were idle for `idleMs`; `own` says sooner for those
   * whose names begin alike: earlier starts of this very process (S47), or living ones of another container
   * that has the same host and number. Returns their names.
   */
  sweep(idleMs: number, own?: OwnConsumers): Promise<readonly string[]>;
  info(): Promise<GroupInfo | undefined>;
  /** Frees this consumer's connection; entries stay pending. Idempotent. */
  close(): Promise<void>;
}

/** Consumers whose names begin with `prefix`, idle for `idleMs`. */
export interface OwnConsumers {
  readonly prefix: string;
  readonly idleMs: number;
}

/** `nobody`: no such consumer lives. `lost`: the entry was not ours any more. */
export type HandedOver = "handed" | "nobody" | "lost";

export interface GroupInfo {
  readonly group: string;
  /** Entries in the stream. */
  readonly length: number;
  /** Entries not yet delivered to the group; null is unknown, never zero. */
  readonly lag: number | null;
  readonly pending: number;
  readonly consumers: number;
  readonly lastDeliveredId: string;
}

/**
 * Since when entries have waited for a group, by the time in their ids: epoch ms on the broker's clock.
 */
export interface GroupAges {
  /** The first entry that was not delivered to the group; undefined: there is none. */
  readonly undeliveredSince: number | undefined;
  /** The first one that was delivered and is not acknowledged; undefined: there is none. */
  readonly pendingSince: number | undefined;
}

export interface GroupOptions {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /**
   * A replay lane (delivery 19): never created by reading (a missing stream reads as empty), its entries are
   * removed when they are acknowledged or dead-lettered, and the stream goes with the last of them.
   */
  readonly lane?: boolean;
  /** See `TextLimits`. @default no limit */
  readonly maxEntryBytes?: number | undefined;
}

/** What is published. */
export interface StreamEntryInsert {
  readonly stream: string;
  readonly data: string;
  /** Its key, where `stream` is parted: it goes to the key's own stream, and the key to the set of keys. */
  readonly partition?: string | undefined;
}

export type PublishResult = { readonly id: string } | { readonly error: Error };

/** Which part of a dead-letter stream is read. */
export interface DeadLetterRange extends TextLimits {
  /** `forwards`: the oldest first. `backwards`: the newest first. @default "forwards" */
  readonly direction?: "forwards" | "backwards";
  /** The last entry of the page before, in this direction; it need not exist any more. */
  readonly after?: string;
  /** Most entries; no more than these are read, and fewer where `maxBytes` ends the page. */
  readonly limit: number;
}

/** An entry that a group failed at. */
export interface OriginalEntry {
  readonly stream: string;
  readonly id: string;
  readonly group: string;
}

/**
 * `gone`: the letter was not there. `trimmed`: the stream does not hold the entry. `unread`, `pending`: the
 * group has it still before it. `nobody`: it has no live consumer of another program.
 */
export type ReplayedToOther = "replayed" | "gone" | "trimmed" | "unread" | "pending" | "nobody";

/** Letters of one queue that failed alike, counted. */
export interface FailureCount {
  /** 12 hexadecimal digits; `other` for all that come beyond the first 1,000 groups. */
  readonly fingerprint: string;
  /** A handler, or where `named` is false a consumer group. */
  readonly handler: string;
  readonly named: boolean;
  readonly errorType: string;
  readonly type: string;
  /** At least 1. */
  readonly count: number;
  /** When letters of the group came into the queue, also those that have left it: epoch ms by their ids. */
  readonly first: number;
  readonly last: number;
}

/** What a queue holds, at one moment. */
export interface FailureFigures {
  readonly depth: number;
  /** Epoch ms by the ids of its first and its last letter. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /**
   * Letters in `groups`. Fewer than `depth`: others wrote some, which are not counted yet. More: others removed
   * some, and all are to be counted again.
   */
  readonly counted: number;
  readonly groups: readonly FailureCount[];
  /** By fingerprint; of groups too that are empty now. */
  readonly notes: ReadonlyMap<string, string>;
}

/**
 * What the letters of a queue failed of, kept up to date by whatever writes, moves or removes a letter
 * (operations 6).
 */
export interface FailureGroups {
  /** Costs the same for a queue of one letter and of a million. */
  figures(stream: string): Promise<FailureFigures>;
  /**
   * Counts at most `limit` letters that nobody has counted, in small steps; where counts and letters disagree,
   * it begins again. Returns how many it has counted; fewer than `limit` means that none is left.
   */
  countOn(stream: string, limit: number, signal?: AbortSignal): Promise<number>;
  /**
   * Keeps a note on a group, or removes it where `text` is empty. `unknown`: there is neither such a group nor a
   * note on it; `full`: 1,000 groups of the queue have one.
   */
  note(stream: string, fingerprint: string, text: string): Promise<"kept" | "unknown" | "full">;
}

/** Says how far a lane was fed. One that is not kept stands at the empty text. */
export interface FeedMark {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** Dead-letter streams (`<stream>:dlq`): plain streams without groups. */
export interface DeadLetters {
  depth(stream: string): Promise<number>;
  /**
   * One page, in order of id; no text is left out. Throws `IncorrectUsageError` when `after` is no id.
   */
  list(stream: string, range: DeadLetterRange): Promise<readonly StreamEntry[]>;
  /** Time of the oldest entry, by its id: epoch ms on the broker's clock. Undefined when there is none. */
  oldest(stream: string): Promise<number | undefined>;
  /**
   * Removes the oldest entries whose ids were given before `ms` (epoch ms on the broker's clock), at most
   * `limit` of them. Returns how many; fewer than `limit` means that none is left (DLQ-2).
   */
  trimBefore(stream: string, ms: number, limit: number): Promise<number>;
  /** `maxEntryBytes`: see `TextLimits`. */
  get(stream: string, id: string, maxEntryBytes?: number): Promise<StreamEntry | undefined>;
  /**
   * Moves one entry, fields as they are, to the end of `lane`, whose `group` is created at 0 if missing; in
   * one atomic step, so that the entry is in exactly one place at every moment. False: it was not there (any
   * more).
   */
  replay(stream: string, id: string, lane: string, group: string): Promise<boolean>;
  /**
   * Puts the entry that a letter is about back among those that its group, another program's, has to handle,
   * and removes the letter, in one step: no other group sees it (delivery 19). Absent: no other program has
   * groups here.
   */
  replayToOther?(stream: string, id: string, original: OriginalEntry): Promise<ReplayedToOther>;
  /**
   * Moves entries, fields as they are, to the end of another dead-letter stream in the order given, each in one
   * atomic step; returns how many were there. Absent: letters can be neither discarded nor restored here.
   */
  move?(stream: string, ids: readonly string[], to: string): Promise<number>;
  /**
   * Puts `data`, which the letter is about, at the end of the stream `to`, where every group reads it, and
   * removes the letter, in one atomic step. False: it was not there (any more). Absent: letters can be replayed
   * to the group that failed only.
   */
  release?(stream: string, id: string, to: string, data: string): Promise<boolean>;
  /** Returns how many of the ids went. */
  remove(stream: string, ids: readonly string[]): Promise<number>;
  /**
   * Appends texts to the end of `lane`, whose `group` is created at 0 if missing, and moves the mark `mark.id`,
   * kept beside the lane for 30 days, from `mark.from` to `mark.to`, in one atomic step. Texts that were
   * appended already are so not appended again. Returns where the mark stands; other than `mark.to`: nothing
   * was appended. Absent: a lane takes dead letters only.
   */
  feed?(
    lane: string,
    group: string,
    texts: readonly string[],
    mark: FeedMark,
  ): Promise<string>;
  /**
   * Removes the whole stream; returns how many entries it had. Notes stay. With `last`, an id of an entry: only
   * where nothing stands behind that; else nothing goes, and it returns 0.
   */
  purge(stream: string, last?: string): Promise<number>;
  /** Absent: nobody counts here, and whoever asks reads the letters. */
  readonly failures?: FailureGroups;
}

export abstract class BaseBroker extends BaseAdapter {
  abstract readonly capabilities: BrokerCapabilities;

  /** Connections that it has open, for the gauges. @default undefined, none that could be counted */
  openConnections(): number | undefined {
    return undefined;
  }

  /**
   * Appends, in order, pipelined. One result per entry; an entry's own failure does not throw, a broker that
   * cannot be reached rejects with `BrokerUnavailableError` (then any of them may have been appended). See
   * `BrokerCapabilities.inOrder`.
   */
  abstract publish(
    entries: readonly StreamEntryInsert[],
    signal?: AbortSignal,
  ): Promise<readonly PublishResult[]>;

  group(_options: GroupOptions): StreamGroup {
    throw new NotSupportedError(
      `Broker '${this.name}' has no consumer groups: use one that does for stream subscriptions.`,
    );
  }

  /**
   * Entries of a stream by their ids, in the order given, without those that it does not hold (any more).
   * Whoever reads keeps no more than the ids of what has to wait. Absent: readers keep the texts.
   */
  entries?(stream: string, ids: readonly string[], limits?: TextLimits): Promise<readonly StreamEntry[]>;

  get deadLetters(): DeadLetters {
    throw new NotSupportedError(`Broker '${this.name}' keeps no dead letters: use one that does.`);
  }

  /**
   * Takes the lock of that name, any text, among all processes on this broker (this one's instances too);
   * undefined while somebody else holds it. Rejects with `BrokerUnavailableError` where the broker does not
   * answer.
   */
  lock(_name: string, _options?: LockOptions): Promise<Lock | undefined> {
    return Promise.reject(new NotSupportedError(`Broker '${this.name}' has no locks: use one that does.`));
  }

  /**
   * Entries of a stream behind an id, `most` at most: for groups of whose lag the broker has lost count. Absent:
   * it never does.
   */
  countAfter?(stream: string, id: string, most: number): Promise<number>;

  /** The workers on this broker. Undefined: they know nothing of each other. */
  get peers(): Peers | undefined {
    return undefined;
  }

  /** What workers have done minute by minute. Undefined: nobody keeps that here. */
  get rollups(): Rollups | undefined {
    return undefined;
  }

  /** Every group of a stream; empty when there is none. */
  groups(_stream: string): Promise<readonly GroupInfo[]> {
    return Promise.resolve([]);
  }

  /**
   * How long entries have waited for a group. Undefined: there is no such group, or the broker cannot tell.
   */
  groupAges(_stream: string, _group: string): Promise<GroupAges | undefined> {
    return Promise.resolve(undefined);
  }

  /**
   * Removes a group with all that it knows: how far it has read, what is pending, its consumers. Entries stay
   * on the stream. Whoever still reads with the group finds it missing. False: there was no such group.
   */
  dropGroup(_stream: string, _group: string): Promise<boolean> {
    return Promise.reject(
      new NotSupportedError(`Broker '${this.name}' has no consumer groups, so none can be dropped.`),
    );
  }

  /** Entries in the stream; 0 when it does not exist. */
  abstract length(stream: string): Promise<number>;

  /** Parted categories. Undefined: `sequentialBy` cannot be kept here, and `publish` is given no keys. */
  get partitions(): Partitions | undefined {
    return undefined;
  }

  /** Operations of all processes. Undefined: each process knows its own, as long as it lives. */
  get operations(): OperationRecords | undefined {
    return undefined;
  }

  /** Alerts of all processes. Undefined: each process knows its own, as long as it lives. */
  get alerts(): AlertRecords | undefined {
    return undefined;
  }

  /** Epoch ms on the clock that gives entries their ids: what ages are measured by (DLQ-8). */
  time(): Promise<number> {
    return Promise.resolve(this.options.clock.now());
  }
}
