/**
 * The port of databases: units of work, tables, idempotency marks.
 *
 * @module
 */
import type { MessageMetadata } from "../../message/types.ts";
import {
  DuplicateMessageError,
  IncorrectUsageError,
  MessageConflictError,
  NotSupportedError,
} from "../../errors.ts";
import { BaseAdapter } from "./adapter.ts";
import type { Lock, LockOptions } from "./lock.ts";
import type { OutboxStore } from "./outbox.ts";
import type { TableSpec } from "./schema.ts";

export interface ProviderCapabilities {
  /** Understands `ctx.sql`. */
  readonly sql: boolean;
  /** Runs inside this process with no server (SQLite, memory): its tables are created at start. */
  readonly embedded: boolean;
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
   * Version the row must have now: a number ≥ 0, or -1 for "must not exist" (`ExpectedVersionError`
   * otherwise); undefined writes whatever is there (a version grows by one, deleting nothing is fine). The
   * stored version becomes expected + 1.
   */
  readonly expected: number | undefined;
}

/** A row for the outbox: status `pending`, `retry_count` 0 (wire 3.2, delivery 9). */
export interface OutboxInsert {
  /**
   * `headers.id`; unique together with `targetBroker` (a repeated pair is a `ConfigurationError`-free no-op:
   * already there).
   */
  readonly messageId: string;
  /** `headers.stream`; the target stream is its category (the text before the first `-`). */
  readonly streamName: string;
  readonly type: string;
  /** Canonical payload text, published as it is. */
  readonly data: string;
  /** JSON text of the metadata, in the form that the broker's readers know (wire 1.11). */
  readonly metadata: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly targetBroker: string;
  readonly priority: number;
  /** See `OutboxRow`. */
  readonly partitionKey?: string | undefined;
  /** `shardOf` of what `orderOf` says of the row, 0 to 15. */
  readonly shard: number;
}

/** Metadata of a record by which a reader of the event store keeps where it is (wire 4.3). Stored as it is. */
export interface RecordMetadata {
  readonly headers: Pick<MessageMetadata["headers"], "id" | "type" | "time" | "stream">;
  readonly domain: {
    readonly kind: "READ_POSITION";
    /** The category that is read. */
    readonly origin_stream: string;
  };
}

/** An append to the event store that belongs to the same commit (delivery 15). */
export interface EventAppend {
  readonly stream: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: MessageMetadata | RecordMetadata;
  /** Position the stream must end at (-1: must not exist); undefined appends wherever it ends. */
  readonly expectedVersion: number | undefined;
}

/** Everything a unit of work has buffered for one provider; flushed and committed in this order. */
export interface WriteSet {
  /**
   * In order of table, then id, by code point: written as they come, they are locked in one order everywhere,
   * so that units of work that share several seldom wait for each other.
   */
  readonly rows: readonly RowWrite[];
  readonly outbox: readonly OutboxInsert[];
  /**
   * Only for an event store in the same database; `metadata.domain.expected_version` is filled in by the
   * adapter.
   */
  readonly events: readonly EventAppend[];
}

/** True when there is nothing to write. */
export function isEmptyWriteSet({ rows, outbox, events }: WriteSet): boolean {
  return rows.length === 0 && outbox.length === 0 && events.length === 0;
}

/** Identifies one effect: the handler's name, the type string, and `headers.id` (delivery 10, 16). */
export interface Mark {
  readonly handler: string;
  readonly type: string;
  readonly messageId: string;
  /**
   * The payload's, which is kept with the mark: another message that comes under the same id has another.
   * Undefined where none can be told: then, as where none was kept, the id alone counts.
   */
  readonly checksum?: string | undefined;
}

/**
 * What became of one of several marks: it is this transaction's now, its effect is committed already, or the
 * mark is another message's (see `MessageConflictError`).
 */
export type MarkOutcome = "claimed" | "handled" | "conflict";

/** So many ids or marks at most go into one statement; who has more sends several. */
export const MOST_AT_ONCE = 1000;

export type SqlValue = string | number | bigint | boolean | null | Uint8Array;

/**
 * A statement cut at its parameters: `strings` has one more item than `values`; the adapter writes its own
 * placeholders between.
 */
export interface SqlStatement {
  readonly strings: readonly string[];
  readonly values: readonly SqlValue[];
}

export type SqlRow = Record<string, unknown>;

/**
 * One unit of work on one provider: a single transaction that begins with its first statement that writes, or
 * that is the user's, or at the commit, and holds no connection before (POOL-3).
 *
 * The caller, `lib/domain/work/sessions.ts`, sees to the order of calls, so that an adapter need not:
 * - One call at a time: the next one begins when the one before has settled. `abandon()` alone may come at
 *   any moment.
 * - After a call has rejected, and after `commit`, nothing but `rollback` and `abandon` is called.
 * - Whatever a call rejects with after `abandon()` or because of the session's signal is told to the user as
 *   `CommitRefusedError`.
 *
 * What an adapter promises is that a session that has ended, by `commit`, `rollback` or `abandon()`, takes no
 * connection, no lock and no turn any more, and writes nothing: every call but `rollback` and `abandon`
 * rejects with `sessionEnded()`.
 */
export interface ProviderSession {
  load(table: string, id: string): Promise<StoredRow | undefined>;
  /**
   * In order of id (code points), those after `after`, at most `limit`. Reads what is committed or flushed.
   */
  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]>;
  /**
   * Claims a mark for this transaction. False: the effect is committed already. A concurrent duplicate waits
   * and then gets false, or its `commit` rejects with `DuplicateMessageError`, as may any call that comes
   * before; either way one effect is committed. It, or the `commit`, rejects with `MessageConflictError` where
   * the mark was taken with another checksum (D24). `fresh`: most likely nobody has claimed it, so that the
   * adapter need not look before the commit (delivery 25). @default false
   */
  mark(mark: Mark, fresh?: boolean): Promise<boolean>;
  /**
   * As `load`, of several ids in one statement: those that exist, in any order. The caller gives each id once,
   * and at most `MOST_AT_ONCE`. Absent: they are loaded one by one.
   */
  loadMany?(table: string, ids: readonly string[]): Promise<readonly StoredRow[]>;
  /**
   * As `mark`, of several in one statement: what became of each, in their order. The caller gives each once, and
   * at most `MOST_AT_ONCE`. Never rejects with `MessageConflictError`. Absent: they are claimed one by one.
   */
  markMany?(marks: readonly Mark[]): Promise<readonly MarkOutcome[]>;
  /**
   * Runs one user statement; the unit of work flushes its buffered writes first, so that the statement sees
   * them.
   */
  query(statement: SqlStatement): Promise<readonly SqlRow[]>;
  /** Writes without committing. */
  flush(writes: WriteSet): Promise<void>;
  /**
   * Writes and commits. Resolves only if the commit is certain; with the event-store positions of
   * `writes.events`. Throws `ExpectedVersionError`, `DuplicateMessageError`, `UnavailableError` (then the
   * outcome may be unknown: idempotency marks make the retry safe). The session has ended either way, with
   * everything undone that is not committed.
   */
  commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }>;
  /** Gives up what was written; idempotent; never throws. */
  rollback(): Promise<void>;
  /**
   * The drain cut this work, or its message was lost. The call under way, `commit` and `rollback` included,
   * is stopped and settles soon; what it held is given back at once, a connection in the middle of a
   * statement destroyed. A commit that is not certain yet may still come to be or not; none begins.
   * Idempotent, also after the end; never throws.
   */
  abandon(): void;
}

/** What every call rejects with that comes after the end of its unit of work. */
export function sessionEnded(): IncorrectUsageError {
  return new IncorrectUsageError(
    "This context has ended with its unit of work and does nothing any more: await every call before the handler returns.",
  );
}

/** Whether the mark was taken for another message than this one, as far as that can be told. */
export function isOtherMessage({ checksum }: Mark, kept: unknown): boolean {
  return checksum !== undefined && typeof kept === "string" && kept !== checksum;
}

/** What a mark's `MessageConflictError` is. */
export function messageConflict({ handler, type, messageId }: Mark): MessageConflictError {
  return new MessageConflictError(
    `Message '${messageId}' (${type}) has other data than the message of that id that ${handler} has handled, ` +
      "so it is no repetition: publish it under an id of its own.",
  );
}

/**
 * Throws `MessageConflictError` unless the message is the one that has taken the mark, whose checksum was
 * `kept`, as far as that can be told.
 */
export function requireSameMessage(mark: Mark, kept: unknown): void {
  if (isOtherMessage(mark, kept)) throw messageConflict(mark);
}

/** What a commit rejects with whose mark another one has committed meanwhile. */
export function duplicateMessage({ handler, type, messageId }: Mark): DuplicateMessageError {
  return new DuplicateMessageError(
    `Message '${messageId}' (${type}) has been handled by ${handler} already: nothing is committed twice.`,
  );
}

export interface SessionOptions {
  /** Ends every wait for a connection, a lock or a turn, which rejects with its reason; nothing else. */
  readonly signal?: AbortSignal;
  /**
   * On whose behalf this session waits for a connection, where many of one party's may wait at once: parties
   * take turns, and none is refused for the length of the line as long as it moves. Nobody's sessions are
   * served at every second turn, and are refused in time. Adapters without a pool pass it over.
   */
  readonly turn?: object | undefined;
  /**
   * Asked right before what `commit` writes is sent, where that had to wait: what it returns is what the
   * commit rejects with. Undefined: it may commit. Adapters that write at once need not ask.
   */
  readonly refused?: () => Error | undefined;
}

/** Connections of a pool. */
export interface PoolStats {
  readonly size: number;
  readonly checkedOut: number;
  readonly overflow: number;
  readonly checkedIn: number;
  /** Those who wait for a connection; absent where nobody does. */
  readonly waiting?: number;
}

export abstract class BaseProvider extends BaseAdapter {
  abstract readonly capabilities: ProviderCapabilities;
  abstract readonly outbox: OutboxStore;

  /**
   * Creates what is missing and brings what is there to this server's version. `own`: outbox, marks and
   * whatever else is the server's; the given tables are only judged. `all`: the given tables too. Idempotent,
   * safe to run concurrently. Throws `ConfigurationError`, with the code `DATABASE_SCHEMA_NEWER` where a
   * newer server has changed a table so that this one cannot work with it, and `DATABASE_SCHEMA_OLDER` where
   * a given table waits for `all`.
   */
  abstract setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void>;

  /**
   * Reads and writes the server's own tables as its work does, and changes nothing. Rejects with
   * `ConfigurationError` where that is not allowed, with `UnavailableError` where the database does not
   * answer or only reads.
   */
  abstract verify(signal?: AbortSignal): Promise<void>;

  override upgrade(tables: readonly TableSpec[]): Promise<void> {
    return this.setup("all", tables);
  }

  /** Names of the tables that `drop` would remove. */
  droppable(tables: readonly TableSpec[]): Promise<readonly string[]> {
    return Promise.resolve(tables.map(({ name }) => name));
  }

  /** Drops the given tables and the server's own; not the event store's. */
  abstract drop(tables: readonly TableSpec[]): Promise<void>;
  /** Empties the given tables, outbox and marks. */
  abstract truncate(tables: readonly TableSpec[]): Promise<void>;
  abstract session(options?: SessionOptions): ProviderSession;
  /**
   * Deletes marks older than `before` (epoch ms), at most `limit`; returns how many went. The age is what
   * counts, by the database's own clock where it has one: where that and this process's differ by more than a
   * minute nothing goes, which is logged once (D9).
   */
  abstract cleanMarks(before: number, limit: number): Promise<number>;

  /**
   * Takes the lock of that name, any text, among all processes on this database (this one's instances too);
   * undefined while somebody else holds it. Rejects with `UnavailableError` where the database does not
   * answer.
   */
  lock(_name: string, _options?: LockOptions): Promise<Lock | undefined> {
    return Promise.reject(new NotSupportedError(`Database '${this.name}' has no locks: use one that does.`));
  }

  /**
   * Why statements of this process wait: a sentence that names who holds a lock which they need, where that is
   * none of our own sessions. Undefined: none waits so. Costs nothing while statements are answered.
   * @default nobody is asked
   */
  heldUp(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  /** Live pool figures, where there is a pool (POOL-4). */
  poolStats(): PoolStats | undefined {
    return undefined;
  }
}
