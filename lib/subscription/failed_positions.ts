/**
 * The messages of a category that have failed, as the store keeps them (wire 4.6): one that fails is recorded
 * and passed over, and later passes try it again.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import {
  checkpointData,
  type FailedMessage,
  failureData,
  type KeptFailures,
  RECORD_TYPES,
} from "../status/store_progress.ts";
import type { RecordStream } from "./record_stream.ts";

/**
 * So many may be open before nothing more is read: a handler that fails on everything does not fill the memory.
 */
export const MOST_UNRESOLVED = 10_000;

export class FailedPositions {
  readonly #records: RecordStream;
  readonly #clock: Clock;
  /** When each has failed in this process (monotonic). */
  readonly #failedAt = new Map<number, number>();
  readonly #unresolved: Map<number, FailedMessage>;
  /** Beyond the position that was kept: their failure had been recorded when the process died. */
  readonly #early: ReadonlySet<number>;
  /** Such that are over. */
  readonly #ended: Set<number>;
  /** Records that no checkpoint tells of, and the last global position that has come to an end by them. */
  #fresh: number;
  #highest: number;

  /** `position`: the one that was kept; what has ended beyond it is read again, and must not be handled. */
  constructor(records: RecordStream, clock: Clock, kept: KeptFailures, position: number) {
    const { unresolved, ended, fresh } = kept;
    this.#records = records;
    this.#clock = clock;
    this.#unresolved = new Map(unresolved);
    this.#early = new Set([...unresolved.keys()].filter((at) => at > position));
    this.#ended = new Set(ended);
    this.#fresh = fresh;
    this.#highest = Math.max(-1, ...ended);
  }

  /** So many are open that no more should be read. */
  get full(): boolean {
    return this.#unresolved.size >= MOST_UNRESOLVED;
  }

  /** Whether the message is among the failed, or was and has come to an end. */
  has(position: number): boolean {
    return this.#unresolved.has(position) || this.#ended.delete(position);
  }

  /** Those that are open and have not failed within the last `ms`, the first first. */
  due(ms: number): readonly FailedMessage[] {
    const now = this.#clock.monotonic();
    return [...this.#unresolved.values()]
      .filter(({ position }) => now - (this.#failedAt.get(position) ?? -Infinity) >= ms)
      .sort((a, b) => a.position - b.position);
  }

  /** Resolves when it is recorded that the message has failed; its `retryCount` says how often before. */
  failed(message: FailedMessage): Promise<void> {
    return this.#record(RECORD_TYPES.failed, message, () => {
      this.#unresolved.set(message.position, message);
      this.#failedAt.set(message.position, this.#clock.monotonic());
    });
  }

  /** It is handled after all. */
  resolved(message: FailedMessage): Promise<void> {
    return this.#record(RECORD_TYPES.resolved, message, () => this.#end(message));
  }

  /** It is given up. */
  exhausted(message: FailedMessage): Promise<void> {
    return this.#record(RECORD_TYPES.exhausted, message, () => this.#end(message));
  }

  /**
   * What a checkpoint says, so that those before it need not be read any more; undefined where there are fewer
   * than `least`, or where a message beyond the `position` that is kept has come to its end: it may be read again,
   * and only its record tells then that it is over.
   */
  checkpoint(least: number, position: number): string | undefined {
    if (this.#fresh < least || this.#highest > position) return undefined;
    this.#fresh = 0;
    return checkpointData(this.#records.version + 1, this.#unresolved.values());
  }

  #record(type: string, message: FailedMessage, written: () => void): Promise<void> {
    return this.#records.append(type, failureData(message), () => {
      this.#fresh++;
      written();
    });
  }

  #end({ position }: FailedMessage): void {
    this.#highest = Math.max(this.#highest, position);
    this.#unresolved.delete(position);
    this.#failedAt.delete(position);
    if (this.#early.has(position)) this.#ended.add(position);
  }
}
