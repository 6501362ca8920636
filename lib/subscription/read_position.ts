/**
 * The position of a reader of the event store, and when it is kept there: after every so many messages, when
 * nothing more is to be read for a moment, and at the end (wire 4.6).
 *
 * @module
 */
import { RECORD_TYPES } from "../status/store_progress.ts";
import type { ReadProgress } from "./read_progress.ts";
import type { RecordStream } from "./record_stream.ts";

export class ReadPosition {
  readonly #records: RecordStream;
  readonly #progress: ReadProgress;
  readonly #interval: number;
  #kept: number;
  #covered = 0;
  #keeping: Promise<void> | undefined;

  /** `interval`: messages between two positions that are kept. `progress` begins at the one kept last. */
  constructor(records: RecordStream, progress: ReadProgress, interval: number) {
    this.#records = records;
    this.#progress = progress;
    this.#interval = interval;
    this.#kept = progress.position;
  }

  /** Messages that have come to an end and would be read again if the process died now. */
  get unkept(): number {
    return this.#progress.ended - this.#covered;
  }

  /** The global position that was kept last. */
  get kept(): number {
    return this.#kept;
  }

  /** There is something to be kept. */
  get isBehind(): boolean {
    return this.#progress.covered > this.#covered;
  }

  /**
   * Keeps the position a second time, before the first message after it is handled: whoever finds it so knows
   * that this was begun, and that nothing has come of it.
   */
  begin(): Promise<void> {
    return this.#append(this.#kept);
  }

  /** Keeps the position where it is time to. */
  async due(): Promise<void> {
    if (this.#progress.covered - this.#covered >= this.#interval) await this.keep();
  }

  /** Keeps the position, where it is beyond the one kept last. */
  async keep(): Promise<void> {
    await this.#keeping;
    if (this.isBehind) await (this.#keeping ??= this.#keep().finally(() => this.#keeping = undefined));
  }

  async #keep(): Promise<void> {
    const { position, covered } = this.#progress;
    await this.#append(position);
    this.#kept = position;
    this.#covered = covered;
  }

  async #append(position: number): Promise<void> {
    await this.#records.append(RECORD_TYPES.read, JSON.stringify({ position }));
  }
}
