/**
 * Where deliveries come from and go back to, as inbox, worker and release see it. A stream's consumer group
 * is one; how entries are read and recovered is the business of the subscription's type.
 *
 * @module
 */
import type { Postponed, StreamEntry } from "../adapters/ports.ts";

/**
 * What `attempt`, `refresh`, `reject` and `release` touch they have seen to be still this consumer's
 * (delivery 1).
 */
export interface Source {
  /** What is read, as logs and errors name it: the stream. */
  readonly name: string;
  /**
   * The stream that the messages were first read from: `name`, or where they are replays the stream that they
   * failed on.
   */
  readonly origin: string;
  readonly group: string;
  /** Counts a start and returns the new count; undefined: the entry is no longer ours (delivery 2). */
  attempt(id: string): Promise<number | undefined>;
  /**
   * Keeps, durably, that the message has failed, and takes it out of the way: `isFinal` for good, else until it
   * is brought again. False: it was no longer ours. Absent: a failure is retried by whoever works on it, and
   * ends in the dead letters.
   */
  setAside?(id: string, isFinal: boolean): Promise<boolean>;
  /** What fails is never brought again: `setAside` is final from the first failure on. @default false */
  readonly isGivenUpAtOnce?: boolean;
  /**
   * False: what was read belongs to another process by now, and nothing of it may be committed. Absent: that
   * is known of each entry alone.
   */
  mayCommit?(): boolean;
  /**
   * Keeps beside the entry that its handler wants it later, and sets its count. False: it was no longer ours.
   * Absent: only we know.
   */
  postpone?(id: string, postponed: Postponed, count: number): Promise<boolean>;
  /** The entry is over: what `postpone` has kept of it is not needed. */
  forgetPostponed?(id: string): Promise<void>;
  /** Keeps up the ownership of `ids`; returns those that are no longer ours. */
  refresh(ids: readonly string[]): Promise<readonly string[]>;
  /**
   * Brings entries by their ids, those that are still there; texts beyond `maxBytes` may be left out, never
   * the first. Absent: what was read has to be kept.
   */
  fetch?(ids: readonly string[], maxBytes: number): Promise<readonly StreamEntry[]>;
  /** Their messages are handled. */
  confirm(ids: readonly string[]): Promise<void>;
  /**
   * Moves the entry to the dead letters of `origin`, as `text`, in one step. False: it was no longer ours.
   */
  reject(id: string, text: string): Promise<boolean>;
  /**
   * Stands still at the entry, which stays where it is, after so many attempts. False: it was no longer ours.
   * Absent: what has failed for good is moved to the dead letters.
   */
  halt?(id: string, attempts: number, error: Error): Promise<boolean>;
  /** Hands the entry to another program's consumer of the same group, if one lives (delivery 5). */
  handOver(id: string): Promise<"handed" | "nobody" | "lost">;
  /** Hands entries back with these counts, so that anyone can take them at once (delivery 7). */
  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void>;
  /** The same for whatever else is pending on us and not in `known`. */
  releaseUnknown(known: ReadonlySet<string>): Promise<void>;
  /** This consumer takes nothing more: it is forgotten where nothing is pending on it. */
  retire(): Promise<void>;
  /** Frees what it is connected by. */
  close(): Promise<void>;
}
