/**
 * The four interfaces between the server and its backends, and the base classes that adapters extend. Mechanisms are
 * those of `spec/delivery.md`; each port has one conformance suite in `tests/conformance/`, and what an adapter cannot
 * do is a declared capability, never a skipped test.
 *
 * Errors: an adapter throws `UnavailableError` (or a subclass) where waiting may help, `ConfigurationError` where only an
 * operator can, and nothing of its driver's own.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import type { MessageMetadata } from "../message/types.ts";
import { NotSupportedError } from "../errors.ts";

// ---------------------------------------------------------------------------------------------- common ground

export type AdapterKind = "provider" | "broker" | "cache" | "event_store";

/** What every adapter is constructed with. */
export interface AdapterOptions {
  /** The key in `domain.toml`: `default`, `analytics`, … */
  readonly name: string;
  /** The normalized domain name, such as `my_domain`. */
  readonly domain: string;
  /** The adapter's own table of `domain.toml`, validated, snake-case keys. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Absolute folder that relative paths and SQLite URIs are relative to. */
  readonly folder: string;
  readonly clock: Clock;
}

export abstract class BaseAdapter {
  readonly name: string;

  constructor(protected readonly options: AdapterOptions) {
    this.name = options.name;
  }

  /**
   * Prepares the adapter. It need not reach the backend: a server started before its database comes up by itself
   * (HLT-3). Throws `ConfigurationError` for what no waiting mends (a bad URI, an unwritable or corrupt file).
   */
  open(_signal?: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  /** One real operation against the backend. Rejects with the reason when it does not answer before `signal` aborts. */
  abstract ping(signal: AbortSignal): Promise<void>;

  /** Idempotent. Frees sockets, files and timers. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

// -------------------------------------------------------------------------------------------------- provider

export interface ProviderCapabilities {
  /** Understands `ctx.sql`. */
  readonly sql: boolean;
  /** Runs inside this process with no server (SQLite, memory): its tables are created at start. */
  readonly embedded: boolean;
  /** Several processes may share it. */
  readonly shared: boolean;
}

/** A table of ours: aggregate and view rows have one shape, `(id text primary key, version, state json, created_at, updated_at)`. */
export interface TableSpec {
  readonly kind: "aggregate" | "view";
  /** Full name, such as `protean_my_domain_order` (delivery 17). */
  readonly name: string;
}

/** A stored aggregate or view row; `state` is JSON text. Versions count from 0. */
export interface StoredRow {
  readonly id: string;
  readonly version: number;
  readonly state: string;
}

/** One buffered write of an aggregate or view row. */
export interface RowWrite {
  readonly table: string;
  readonly id: string;
  /** JSON text to store, or undefined to delete the row. */
  readonly state: string | undefined;
  /**
   * Version the row must have now: a number ≥ 0, or -1 for "must not exist" (`ExpectedVersionError` otherwise); undefined
   * writes whatever is there (a version grows by one, deleting nothing is fine). The stored version becomes expected + 1.
   */
  readonly expected: number | undefined;
}

/** A row for the outbox: status `pending`, `retry_count` 0 (wire 3.2, delivery 9). */
export interface OutboxInsert {
  /** `headers.id`; unique together with `targetBroker` (a repeated pair is a `ConfigurationError`-free no-op: already there). */
  readonly messageId: string;
  /** `headers.stream`; the target stream is its category (the text before the first `-`). */
  readonly streamName: string;
  readonly type: string;
  /** Canonical payload text, published as it is. */
  readonly data: string;
  readonly metadata: MessageMetadata;
  readonly targetBroker: string;
  readonly priority: number;
  /** `shardOf(streamName)`, 0 to 15. */
  readonly shard: number;
}

/** An append to the event store that belongs to the same commit (delivery 15). */
export interface EventAppend {
  readonly stream: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: MessageMetadata;
  /** Position the stream must end at (-1: must not exist); undefined appends wherever it ends. */
  readonly expectedVersion: number | undefined;
}

/** Everything a unit of work has buffered for one provider; flushed and committed in this order. */
export interface WriteSet {
  readonly rows: readonly RowWrite[];
  readonly outbox: readonly OutboxInsert[];
  /** Only for an event store in the same database; `metadata.domain.expected_version` is filled in by the adapter. */
  readonly events: readonly EventAppend[];
}

/** Identifies one effect: the handler's name, the type string, and `headers.id` (delivery 10, 16). */
export interface Mark {
  readonly handler: string;
  readonly type: string;
  readonly messageId: string;
}

export type SqlValue = string | number | bigint | boolean | null | Uint8Array;

/** A statement cut at its parameters: `strings` has one more item than `values`; the adapter writes its own placeholders between. */
export interface SqlStatement {
  readonly strings: readonly string[];
  readonly values: readonly SqlValue[];
}

export type SqlRow = Record<string, unknown>;

/**
 * One unit of work on one provider: a single transaction that begins with its first statement and holds no connection
 * before (POOL-3). Used by one handler, serially; every method rejects with `CommitRefusedError` after `abandon()`.
 */
export interface ProviderSession {
  load(table: string, id: string): Promise<StoredRow | undefined>;
  /** In order of id (code points), those after `after`, at most `limit`. Reads what is committed or flushed. */
  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]>;
  /**
   * Claims a mark for this transaction. False: the effect is committed already. A concurrent duplicate waits and then gets
   * false, or its `commit` rejects with `DuplicateMessageError`; either way one effect is committed.
   */
  mark(mark: Mark): Promise<boolean>;
  /** Runs one user statement; the unit of work flushes its buffered writes first, so that the statement sees them. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]>;
  /** Writes without committing. */
  flush(writes: WriteSet): Promise<void>;
  /**
   * Writes and commits. Resolves only if the commit is certain; with the event-store positions of `writes.events`.
   * Throws `ExpectedVersionError`, `DuplicateMessageError`, `UnavailableError` (then the outcome may be unknown: idempotency
   * marks make the retry safe). The session is over either way.
   */
  commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }>;
  /** Gives up what was written; idempotent; never throws. */
  rollback(): Promise<void>;
  /** The drain cut this work: whatever runs is stopped, its connection destroyed, a later commit refused. Never throws. */
  abandon(): void;
}

export interface SessionOptions {
  readonly signal?: AbortSignal;
}

export abstract class BaseProvider extends BaseAdapter {
  abstract readonly capabilities: ProviderCapabilities;
  abstract readonly outbox: OutboxStore;

  /** Creates what is missing. `own`: outbox and marks. `all`: the given tables too. Idempotent, safe to run concurrently. */
  abstract setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void>;
  abstract drop(tables: readonly TableSpec[]): Promise<void>;
  abstract truncate(tables: readonly TableSpec[]): Promise<void>;
  abstract session(options?: SessionOptions): ProviderSession;
  /** Deletes marks older than `before` (epoch ms), at most `limit`; answers how many went. */
  abstract cleanMarks(before: number, limit: number): Promise<number>;

  /** Live pool figures, where there is a pool (POOL-4). */
  poolStats(): { size: number; checkedOut: number; overflow: number; checkedIn: number } | undefined {
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------------- outbox

/** Shards of the outbox (delivery 9). */
export const OUTBOX_SHARDS = 16;

export type OutboxStatus = "pending" | "processing" | "published" | "failed" | "abandoned";

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
  readonly retryCount: number;
  /** Epoch ms of the commit's insert; for the latency histogram. */
  readonly createdAt: number;
}

/** What became of a claimed row. */
export type OutboxOutcome =
  | { readonly id: string; readonly status: "published" }
  /** `retry_count` grows by one; due again at `retryAt` (epoch ms). Holds back later rows of its stream until then. */
  | { readonly id: string; readonly status: "failed"; readonly error: string; readonly retryAt: number }
  /** Given up: listed by `outbox list`, revived by `outbox requeue`. Later rows of its stream go on. */
  | { readonly id: string; readonly status: "abandoned"; readonly error: string }
  /** Not tried, because an earlier row of its stream failed: pending again, uncounted. */
  | { readonly id: string; readonly status: "held" };

/** Some shards of one target broker's rows, held by one processor; nobody else claims from them meanwhile. */
export interface OutboxLease {
  /** Those held now. */
  readonly shards: readonly number[];
  /**
   * When the store last noted that the holder lives, on the clock's monotonic scale; for a store where that may be long after it was
   * asked to. Undefined: it was when the last call was made that has succeeded.
   */
  readonly renewedAt?: number;
  /**
   * The next rows in order of `seq`, marked `processing`, at most `limit`: pending ones and failed ones that are due,
   * without those whose stream has an earlier failed row that is not due. Rows that an earlier holder left `processing` are
   * retaken at once (delivery 9); rows this lease has claimed and not settled are not claimed again. Empty: nothing is due.
   */
  claim(limit: number): Promise<readonly OutboxRow[]>;
  /** Even an empty list tells the others that the holder lives, where a lease runs out by time. */
  settle(outcomes: readonly OutboxOutcome[]): Promise<void>;
  /**
   * Brings a standing lease to its share: shards beyond it are let go, free ones are taken up to it. A share is an even part of the
   * shards among all standing leases on this broker's rows, rounded up. To be called while no claimed row is unsettled; does nothing
   * for other leases.
   */
  share(): Promise<void>;
  /** Epoch ms when the next failed row of these shards falls due that was not yet due at the last claim, if any. */
  nextDue(): Promise<number | undefined>;
  /** Lets the shards go; unsettled rows stay `processing` for the next holder. Idempotent, never throws. */
  release(): Promise<void>;
}

export interface OutboxStats {
  readonly counts: Readonly<Record<OutboxStatus, number>>;
  /** Epoch ms of the oldest row not yet published nor abandoned. */
  readonly oldest: number | undefined;
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
   * Takes free shards that hold due rows for `broker`, at most `maxShards`. Undefined: nothing is due, or others hold it.
   *
   * `standing` asks for a lease to be kept from batch to batch: it is always given, with this holder's share of the shards as far as
   * that is free, due or not; `share()` does the rest.
   */
  lease(
    options: {
      readonly broker: string;
      readonly owner: string;
      readonly maxShards?: number;
      readonly standing?: boolean;
    },
  ): Promise<OutboxLease | undefined>;
  /**
   * Calls `wake` soon after a commit with outbox rows: at once in this process, by a coalesced hint from others. Only a hint: it
   * may be late, doubled or missing, the poll is the truth (OBX-2). Returns the way to stop it.
   */
  watch(wake: () => void): () => void;
  /** Epoch ms when the next failed row falls due, if any. */
  nextDue(broker: string): Promise<number | undefined>;
  stats(): Promise<OutboxStats>;
  list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]>;
  /** Abandoned (or failed) rows become pending with `retry_count` 0; all of them when `ids` is undefined. */
  requeue(ids?: readonly string[]): Promise<number>;
  /** Deletes published rows and abandoned rows older than the given epochs, at most `limit` (OBX-5). */
  clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number>;
}

// ---------------------------------------------------------------------------------------------------- broker

export interface BrokerCapabilities {
  /** Several processes may share it. */
  readonly shared: boolean;
  /** Runs inside this process with no server. */
  readonly embedded: boolean;
  /**
   * `connection`: `read` with `blockMs` waits on a connection of its own. `poll`: it waits by polling. `wake`: it waits for this
   * process's own publishes.
   */
  readonly blocking: "connection" | "poll" | "wake";
  /**
   * A `publish` that refuses an entry refuses those behind it on the same stream too. Without this the outbox publishes the rows of
   * one aggregate's stream one at a time, so that none overtakes one that was refused. @default false
   */
  readonly inOrder?: boolean;
}

/** One entry of a stream: Redis's single field `data`, as text (wire 2.1). */
export interface StreamEntry {
  /** `<ms>-<n>`, ascending within a stream. */
  readonly id: string;
  /** Text of the field `data`; undefined when the entry has no such field. */
  readonly data: string | undefined;
}

/** An entry found in the pending list. */
export interface PendingEntry {
  readonly id: string;
  readonly consumer: string;
  /** Since it was last delivered, claimed or refreshed; Infinity where its consumer's process is known to be dead. */
  readonly idleMs: number;
  /** Started attempts (delivery 2): 1 after its first delivery. */
  readonly count: number;
}

/** An entry that this consumer now owns. `trimmed`: the stream no longer holds it, and it has left the pending list (PIPE-7). */
export interface ClaimedEntry extends StreamEntry {
  readonly count: number;
  readonly trimmed: boolean;
}

export interface ReadOptions {
  readonly count: number;
  /** Longest wait for a first entry. 0 or absent: answers at once. Never endless. */
  readonly blockMs?: number;
  /** Cuts the wait; the read then resolves with what had been delivered, possibly nothing (delivery 6). */
  readonly signal?: AbortSignal;
  /** Acknowledged together with this read, before it (design 11). Lost if the read rejects: the caller keeps them until it resolves. */
  readonly ack?: readonly string[];
}

/**
 * One consumer of one group on one stream. Entries read or claimed are pending on this consumer until acknowledged,
 * dead-lettered, released, or claimed by somebody else. Methods that touch an entry check, atomically, that the pending
 * list still names this consumer: a bare claim would steal back what another has claimed (delivery 1).
 */
export interface StreamGroup {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /** Creates stream and group where missing (from the beginning, wire 2.2). True when it created the group. */
  ensure(): Promise<boolean>;
  /** New entries, in order. Their count becomes 1. One read at a time. Throws `GroupMissingError`. */
  read(options: ReadOptions): Promise<readonly StreamEntry[]>;
  /** Answers how many were still pending in the group (any consumer). On a lane the entries are removed too. */
  ack(ids: readonly string[]): Promise<number>;
  /** Resets the idle time of those still owned; answers the ids that are not (delivery 1). Never raises a count. */
  refresh(ids: readonly string[]): Promise<readonly string[]>;
  /** Before every start after the first: raises the count and answers it, or undefined when the entry is no longer ours. */
  attempt(id: string): Promise<number | undefined>;
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
   * Takes entries over without counting, each only if `from` still owns it and it has been idle for `minIdleMs` (a dead
   * process's entry always qualifies). Answers those taken; trimmed ones are dropped from the pending list and marked.
   */
  claim(
    entries: readonly { readonly id: string; readonly from: string }[],
    minIdleMs: number,
  ): Promise<readonly ClaimedEntry[]>;
  /** Atomically: append `data` to `deadLetterStream` and acknowledge, if still owned. False: it was not ours, nothing was written. */
  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean>;
  /** Hands entries back so that anyone claims them at once, with the given count (delivery 7). Those not owned are left alone. */
  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void>;
  /** Soft cap (delivery 8): drops the oldest entries beyond `maxLength` that every group has read and acknowledged. Answers how many. */
  trim(maxLength: number): Promise<number>;
  /** Deletes this consumer if it has nothing pending, atomically checked (PIPE-9). */
  retire(): Promise<boolean>;
  /** Deletes other consumers that have nothing pending and were idle for `idleMs`. Answers their names. */
  sweep(idleMs: number): Promise<readonly string[]>;
  info(): Promise<GroupInfo | undefined>;
  /** Frees this consumer's connection; entries stay pending. Idempotent. */
  close(): Promise<void>;
}

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

export interface GroupOptions {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /**
   * A replay lane (delivery 19): never created by reading (a missing stream reads as empty), its entries are removed when they are
   * acknowledged or dead-lettered, and the stream goes with the last of them.
   */
  readonly lane?: boolean;
}

export type PublishResult = { readonly id: string } | { readonly error: Error };

/** Dead-letter streams (`<stream>:dlq`): plain streams without groups. */
export interface DeadLetters {
  depth(stream: string): Promise<number>;
  /** In order of id, after `after`. */
  list(
    stream: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StreamEntry[]>;
  get(stream: string, id: string): Promise<StreamEntry | undefined>;
  /**
   * Moves one entry, fields as they are, to the end of `lane`, whose `group` is created at 0 if missing; in one atomic step, so that
   * the entry is in exactly one place at every moment. False: it was not there (any more).
   */
  replay(stream: string, id: string, lane: string, group: string): Promise<boolean>;
  /** Answers how many of the ids went. */
  remove(stream: string, ids: readonly string[]): Promise<number>;
  /** Removes the whole stream; answers how many entries it had. */
  purge(stream: string): Promise<number>;
}

export abstract class BaseBroker extends BaseAdapter {
  abstract readonly capabilities: BrokerCapabilities;

  /**
   * Appends, in order, pipelined. One result per entry; an entry's own failure does not throw, a broker that cannot be reached
   * rejects with `BrokerUnavailableError` (then any of them may have been appended). See `BrokerCapabilities.inOrder`.
   */
  abstract publish(
    entries: readonly { readonly stream: string; readonly data: string }[],
    signal?: AbortSignal,
  ): Promise<readonly PublishResult[]>;

  group(_options: GroupOptions): StreamGroup {
    throw new NotSupportedError(
      `Broker '${this.name}' has no consumer groups: use one that does for stream subscriptions.`,
    );
  }

  get deadLetters(): DeadLetters {
    throw new NotSupportedError(`Broker '${this.name}' keeps no dead letters: use one that does.`);
  }

  /** Every group of a stream; empty when there is none. */
  groups(_stream: string): Promise<readonly GroupInfo[]> {
    return Promise.resolve([]);
  }

  /** Entries in the stream; 0 when it does not exist. */
  abstract length(stream: string): Promise<number>;
}

// ----------------------------------------------------------------------------------------------------- cache

/** Keys and JSON text values with a time to live (wire 5). */
export abstract class BaseCache extends BaseAdapter {
  abstract get(key: string): Promise<string | undefined>;
  /** `ttlMs` defaults to the cache's own `TTL`. */
  abstract set(key: string, value: string, ttlMs?: number): Promise<void>;
  abstract delete(key: string): Promise<boolean>;
  /** Milliseconds left; undefined: no such key; Infinity: never expires. */
  abstract ttl(key: string): Promise<number | undefined>;
  /** Live keys that begin with `prefix`, ascending, after `after`, at most `limit`. */
  abstract keys(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]>;
}

// ------------------------------------------------------------------------------------------------ event store

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

export abstract class BaseEventStore extends BaseAdapter {
  /** True when appends can ride in that provider's own transaction, as `WriteSet.events` (delivery 15). */
  sharesTransactionWith(_provider: BaseProvider): boolean {
    return false;
  }

  /** Appends in order, each at the end of its stream; answers positions, 0-based. Throws `ExpectedVersionError`. */
  abstract append(events: readonly EventAppend[]): Promise<readonly number[]>;
  /** One stream (`shop::order-1`) by position, or a category (`shop::order`) or `$all` by global position; inclusive `from`. */
  abstract read(
    stream: string,
    options: { readonly from?: number; readonly limit: number },
  ): Promise<readonly StoredEvent[]>;
  /** The last message of a stream, category or `$all`. */
  abstract last(stream: string): Promise<StoredEvent | undefined>;
}
