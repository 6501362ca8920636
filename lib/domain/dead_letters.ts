/**
 * Dead letters as a team's code has them: `domain.deadLetters`. The work is done by the room `dlq`, which
 * stands above this one and registers itself.
 *
 * @module
 */
import { NotSupportedError } from "../errors.ts";
import type { Operation } from "./operations.ts";
import type { DomainRuntime } from "./runtime.ts";
import type { DeadLetterEntry } from "./types.ts";

/** Which dead letters are meant: those that meet all that is given; all of the domain's when empty. */
export interface DeadLetterFilter {
  /** As `dlq list` has it. */
  id?: string;
  /** A stream category: `my_domain::order`. */
  subscription?: string;
  /** A handler as declared. One that names no handler, as Python's, belongs to those of its group. */
  handler?: string;
  /** A message type, `MyDomain.OrderPlaced.v1`, or its name in any version, `OrderPlaced`. */
  type?: string;
  /** The type of the error, `RangeError`; `unknown` for those that do not say. */
  error?: string;
  /** Failed at this time or later. */
  since?: Date;
  /** Failed before this time. */
  until?: Date;
}

/** Letters that failed alike. */
export interface DeadLetterGroup {
  /**
   * Names the group; the same wherever and whenever it is counted: 12 hexadecimal digits of handler, type of
   * error, type of message and the place in the team's own code where it was thrown, without the numbers of
   * lines. `other`: all beyond 1,000 groups of a queue.
   */
  readonly fingerprint: string;
  /** A handler, or where the letter names none its consumer group. */
  readonly handler: string;
  /** `unknown` where the letters do not say. */
  readonly errorType: string;
  /** `unknown` for what is no message. */
  readonly type: string;
  readonly count: number;
  /** When the first and the last of them came into the queue. */
  readonly first: Date;
  readonly last: Date;
  /** What somebody has noted of the group. */
  readonly note: string | undefined;
}

/** Figures of one queue. */
export interface DeadLetterStats {
  readonly dlqStream: string;
  readonly subscription: string;
  /** Letters in the queue, whatever the filter. */
  readonly depth: number;
  /** When the oldest letter came into the queue, whatever the filter. */
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
  /** The largest first. */
  readonly groups: readonly DeadLetterGroup[];
  /**
   * Letters that the groups tell of, whatever the filter. Fewer than `depth`: others have written the rest, and
   * the maintenance is yet to count them; or the filter asks for a time, and the newest 10,000 were looked at.
   */
  readonly counted: number;
}

/** One letter as it lies in its queue, for a file. */
export interface SavedDeadLetter {
  readonly dlqStream: string;
  readonly id: string;
  /** Name of the broker that holds it. */
  readonly broker: string;
  /** The text of the entry, to the letter; undefined for an entry without one. */
  readonly data: string | undefined;
}

/** How an operation goes about its letters. */
export interface OperationOptions {
  /**
   * Replays so many first, at most 1,000, and waits for what becomes of them, at most 15 minutes; goes on only
   * if all were handled.
   * @default all at once
   */
  canary?: number;
  /** At most this many letters a second. @default as fast as it goes */
  rate?: number;
  /**
   * Replay only: puts the message back on its stream, where every group handles it once more, as Python's
   * tools do. @default only the group that failed
   */
  toAllGroups?: boolean;
  /** At most so many letters, the oldest of each queue first. @default all */
  limit?: number;
  /** Counts what would be done, and does nothing. */
  dryRun?: boolean;
  /** Why, for the audit. */
  reason?: string;
  /** Who, for the audit. @default `PROTEAN_USER`, then the system's user */
  by?: string;
  /** Stops between two letters. */
  signal?: AbortSignal;
  /** What the operation is when `signal` has stopped it: over, or to be resumed. @default "cancelled" */
  onAbort?: "cancelled" | "paused";
  /**
   * Leaves the work to a running server of the domain, which begins within seconds: resolves with the planned
   * operation. Not with `save`.
   */
  detach?: boolean;
  /** Given the letters, some at a time, before they are changed. What it throws ends the operation. */
  save?: (letters: readonly SavedDeadLetter[]) => Promise<void>;
  /** Told after each step. */
  progress?: (operation: Operation) => void;
}

/** Dead letters of a domain. */
export interface DeadLetterQueues {
  /**
   * A page of letters, the newest first. The cursor is given where there may be more: a filter that few
   * letters pass may leave a page short. Throws `ProteanError` for a handler or a category that nobody has
   * (`DLQ_UNKNOWN_HANDLER`, `DLQ_UNKNOWN_SUBSCRIPTION`) and `IncorrectUsageError` for what is no filter, as
   * all of these do.
   *
   * @example
   * ```ts
   * const { entries } = await domain.deadLetters.list({ handler: "OrderEventHandler", limit: 20 });
   * ```
   */
  list(
    filter?: DeadLetterFilter & { limit?: number; cursor?: string | undefined },
  ): Promise<{ readonly entries: readonly DeadLetterEntry[]; readonly cursor: string | undefined }>;
  /**
   * One letter; undefined where there is none. Throws `ProteanError` with the code `DLQ_AMBIGUOUS` when several
   * queues hold one of that id: say which by `subscription`.
   *
   * @example
   * ```ts
   * const letter = await domain.deadLetters.get("1795356754518-0");
   * ```
   */
  get(id: string, filter?: Omit<DeadLetterFilter, "id">): Promise<DeadLetterEntry | undefined>;
  /**
   * Figures of every queue, and what its letters failed of, from counts that are kept beside the queue: a long
   * one costs no more than a short one. With `since`, `until` or `id` its newest 10,000 letters are read.
   *
   * @example
   * ```ts
   * const [orders] = await domain.deadLetters.stats({ subscription: "my_domain::order" });
   * ```
   */
  stats(filter?: DeadLetterFilter): Promise<readonly DeadLetterStats[]>;
  /**
   * Keeps a note on the letters that failed alike, in place of an earlier one; an empty text removes it. It
   * stays when the letters have left the queue. Throws `ProteanError` with the code `DLQ_UNKNOWN_GROUP` where no
   * queue has the group, and `IncorrectUsageError` for what is no fingerprint, or longer than 2,000 characters.
   *
   * @example
   * ```ts
   * await domain.deadLetters.note("3f2a9c01d4e5", "the carrier's new address format, mended in 1.4");
   * ```
   */
  note(
    fingerprint: string,
    text: string,
    options?: Pick<OperationOptions, "by" | "reason">,
  ): Promise<void>;
  /**
   * Hands letters to the groups that failed, once more, the oldest first; resolves at the end. What comes
   * into the queues meanwhile is left alone. Two at once replay each letter once. Throws `ProteanError` with the
   * code `OPERATION_ALIKE`, as all that change letters do, while an operation with this filter is not over.
   *
   * @example
   * ```ts
   * const { done, failures } = await domain.deadLetters.replay({ error: "TimeoutError" }, { canary: 5 });
   * ```
   */
  replay(filter: DeadLetterFilter, options?: OperationOptions): Promise<Operation>;
  /**
   * Puts letters aside, into `<dlq>:discarded`, from where `restore` brings them back for
   * `[server.dlq] discard_keep_hours`.
   *
   * @example
   * ```ts
   * await domain.deadLetters.discard({ type: "OrderPlaced" }, { reason: "test orders", by: "ann" });
   * ```
   */
  discard(filter: DeadLetterFilter, options?: OperationOptions): Promise<Operation>;
  /**
   * Brings discarded letters back into their queues. Ids are those in `<dlq>:discarded`.
   *
   * @example
   * ```ts
   * await domain.deadLetters.restore({ type: "OrderPlaced" });
   * ```
   */
  restore(filter: DeadLetterFilter, options?: OperationOptions): Promise<Operation>;
  /**
   * Removes letters for good.
   *
   * @example
   * ```ts
   * await domain.deadLetters.purge({ until: new Date("2026-01-01T00:00:00Z") });
   * ```
   */
  purge(filter: DeadLetterFilter, options?: OperationOptions): Promise<Operation>;
  /**
   * Letters as they lie in their queues, some at a time, the oldest first: for a file that `import` reads.
   *
   * @example
   * ```ts
   * for await (const letters of domain.deadLetters.export({})) console.log(JSON.stringify(letters));
   * ```
   */
  export(filter: DeadLetterFilter): AsyncIterable<readonly SavedDeadLetter[]>;
  /**
   * Puts exported letters at the end of their queues; returns their new ids, or for each why it was refused.
   *
   * @example
   * ```ts
   * const [result] = await domain.deadLetters.import([{ dlqStream, id, broker: "default", data }]);
   * ```
   */
  import(
    letters: readonly SavedDeadLetter[],
    options?: Pick<OperationOptions, "by" | "reason">,
  ): Promise<readonly ({ readonly id: string } | { readonly why: string })[]>;
}

type Open = (runtime: () => DomainRuntime) => DeadLetterQueues;

let open: Open | undefined;

/** Says how a domain's dead letters are worked on. */
export function registerDeadLetters(how: Open): void {
  open = how;
}

/** The dead letters of a domain, whose runtime is asked for with each call. */
export function deadLettersOf(runtime: () => DomainRuntime): DeadLetterQueues {
  if (open) return open(runtime);
  throw new NotSupportedError("Dead letters need the whole library: import Domain from '@protean/server'.");
}
