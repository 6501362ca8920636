/**
 * Writes a log whose reader may stop reading: whoever logs never waits. What the reader has not taken yet is
 * kept up to a bound; beyond it texts are dropped, counted and, once there is room again, told.
 *
 * @module
 */
import { deadline } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";

/** Something that takes bytes whenever it can. */
export interface PatientTarget {
  /** Resolves with the number of bytes taken, at least one; may take for ever. */
  write(bytes: Uint8Array): Promise<number>;
}

export interface PatientWriterOptions {
  readonly target: PatientTarget;
  readonly clock: Clock;
  /** Bytes that are kept for a reader that does not read. @default 1 MiB */
  readonly maxBytes?: number;
  /**
   * So many bytes at most go out in one write, but for a longer text. Where several processes write to one
   * pipe, what is no longer than 4096 stays in one piece. @default 64 KiB
   */
  readonly batchBytes?: number;
  /** There is room again after `count` texts of `bytes` together were dropped; may write. */
  readonly dropped: (count: number, bytes: number) => void;
}

const MAX_BYTES = 1024 * 1024;
/** So much goes out in one write. */
const BATCH_BYTES = 64 * 1024;
/** A pipe that somebody made non-blocking is asked again after so long. */
const FULL_PIPE_MS = 10;

export class PatientWriter {
  readonly #options: PatientWriterOptions;
  readonly #encoder = new TextEncoder();
  readonly #maxBytes: number;
  /** What waits; the batch that is being written counts too. */
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #dropped = { count: 0, bytes: 0 };
  #writing: Promise<void> | undefined;
  readonly #closed = new AbortController();
  #gone = false;

  constructor(options: PatientWriterOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
  }

  /** Takes a text, or drops it. Never waits and never throws; a reader that has gone costs nothing. */
  write(text: string): void {
    if (this.#gone) return;
    const bytes = this.#encoder.encode(text);
    if (this.#bytes + bytes.length > this.#maxBytes) {
      this.#dropped.count++;
      this.#dropped.bytes += bytes.length;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#writing ??= this.#drain();
  }

  /**
   * Resolves when everything is written, or after `ms`: whoever ends must not wait for its reader either.
   * Nothing is taken afterwards.
   */
  async close(ms: number): Promise<void> {
    await deadline(() => this.#settled(), ms, this.#options.clock).catch(() => {});
    this.#gone = true;
    this.#closed.abort();
  }

  async #settled(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #drain(): Promise<void> {
    try {
      // Texts that are written in the same turn go out together.
      await Promise.resolve();
      while (this.#waiting.length > 0) {
        const batch = this.#take();
        await this.#writeWhole(batch);
        this.#bytes -= batch.length;
        this.#tellDropped();
      }
    } catch {
      // Gone, or full for good, such as a disk: a log has nowhere else to say so.
      this.#gone = true;
      this.#waiting = [];
    } finally {
      this.#writing = undefined;
    }
  }

  #take(): Uint8Array {
    let size = 0;
    let count = 0;
    for (const { length } of this.#waiting) {
      if (count > 0 && size + length > (this.#options.batchBytes ?? BATCH_BYTES)) break;
      size += length;
      count++;
    }
    const batch = new Uint8Array(size);
    let at = 0;
    for (const bytes of this.#waiting.splice(0, count)) {
      batch.set(bytes, at);
      at += bytes.length;
    }
    return batch;
  }

  async #writeWhole(batch: Uint8Array): Promise<void> {
    const { target, clock } = this.#options;
    let rest = batch;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(await target.write(rest));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock) || this.#closed.signal.aborted) throw error;
        await sleep(clock, FULL_PIPE_MS, this.#closed.signal);
      }
    }
  }

  #tellDropped(): void {
    const { count, bytes } = this.#dropped;
    if (count === 0) return;
    this.#dropped = { count: 0, bytes: 0 };
    this.#options.dropped(count, bytes);
  }
}
