/**
 * The messages of a category that have failed, as the store keeps them (wire 4.6): one that fails is recorded
 * and passed over, and later passes try it again.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import {
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

  /** `position`: the one that was kept; what has ended beyond it is read again, and must not be handled. */
  constructor(records: RecordStream, clock: Clock, { unresolved, ended }: KeptFailures, position: number) {
    this.#records = records;
    this.#clock = clock;
    this.#unresolved = new Map(unresolved);
    this.#early = new Set([...unresolved.keys()].filter((at) => at > position));
    this.#ended = new Set(ended);
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
  async failed(message: FailedMessage): Promise<void> {
    await this.#records.append(RECORD_TYPES.failed, failureData(message));
    this.#unresolved.set(message.position, message);
    this.#failedAt.set(message.position, this.#clock.monotonic());
  }

  /** It is handled after all. */
  async resolved(message: FailedMessage): Promise<void> {
    await this.#end(RECORD_TYPES.resolved, message);
  }

  /** It is given up. */
  async exhausted(message: FailedMessage): Promise<void> {
    await this.#end(RECORD_TYPES.exhausted, message);
  }

  async #end(type: string, message: FailedMessage): Promise<void> {
    await this.#records.append(type, failureData(message));
    this.#unresolved.delete(message.position);
    this.#failedAt.delete(message.position);
    if (this.#early.has(message.position)) this.#ended.add(message.position);
  }
}
