/**
 * A stream of the event store that one reader writes records into about itself (wire 4.3). Each goes where the
 * last one of ours was: whoever else has written there meanwhile has taken the reading over, or has changed
 * what we believe, and nothing more is written.
 *
 * @module
 */
import type { BaseEventStore } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { ExpectedVersionError } from "../errors.ts";
import { timeText } from "../message/time.ts";

export interface RecordStreamOptions {
  readonly store: BaseEventStore;
  readonly clock: Clock;
  readonly stream: string;
  /** What is read, which the records are about. */
  readonly category: string;
  /** Of the last record in the stream; -1: there is none. */
  readonly version: number;
  /** Called before each record; what it throws keeps that from being written. */
  readonly mayWrite: () => void;
  /** Somebody else has written there. */
  readonly taken: () => void;
}

export class RecordStream {
  readonly #options: RecordStreamOptions;
  #version: number;
  /** Records come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RecordStreamOptions) {
    this.#options = options;
    this.#version = options.version;
  }

  /** Of the last record in the stream, as far as we know. */
  get version(): number {
    return this.#version;
  }

  /**
   * Appends a record; `data` is JSON text. Rejects with `ExpectedVersionError` where somebody else has written
   * there, and with what `mayWrite` throws. `written` is called with the record, before any other is begun.
   */
  append(type: string, data: string, written: () => void = () => {}): Promise<void> {
    const done = this.#turn.then(() => this.#append(type, data, written));
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Looks whether somebody else has written there. Rejects where the store does not answer. */
  check(): Promise<void> {
    const { store, stream, taken } = this.#options;
    const done = this.#turn.then(async () => {
      const last = await store.last(stream);
      if (last && last.position > this.#version) taken();
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #append(type: string, data: string, written: () => void): Promise<void> {
    const { store, clock, stream, category, mayWrite, taken } = this.#options;
    mayWrite();
    const headers = { id: crypto.randomUUID(), type, time: timeText(clock.now()), stream };
    try {
      await store.append([{
        ...{ stream, type, data },
        metadata: { headers, domain: { kind: "READ_POSITION", origin_stream: category } },
        expectedVersion: this.#version,
      }]);
    } catch (error) {
      if (error instanceof ExpectedVersionError) taken();
      throw error;
    }
    this.#version++;
    written();
  }
}
