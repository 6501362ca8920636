/**
 * Lets the owners of keys read in turn, as far as there is room for what they bring: thousands may wait, and
 * none of them is woken before it is its turn.
 *
 * @module
 */
import { Fifo } from "../fifo.ts";
import type { Inbox } from "../inbox.ts";
import type { Pause } from "../pause.ts";

/** Reads under way at once: their entries are not in the inbox yet. */
const MOST_READING = 64;

interface Waiting {
  readonly admit: () => void;
  gone: boolean;
}

export class Admission {
  readonly #waiting = new Fifo<Waiting>();
  #reading = 0;
  #pumping = false;

  constructor(
    private readonly inbox: Inbox,
    private readonly pause: Pick<Pause, "on">,
    /** Aborts when nothing more is read. */
    private readonly stopped: AbortSignal,
  ) {}

  /** Resolves when its turn has come, or `until` aborts; `leave` is to be called in any case. */
  async enter(until: AbortSignal): Promise<void> {
    if (this.#waiting.length === 0 && this.#hasRoom) {
      this.#reading++;
      return;
    }
    const admitted = Promise.withResolvers<void>();
    const waiting: Waiting = { admit: admitted.resolve, gone: false };
    const leave = () => {
      if (waiting.gone) return;
      waiting.gone = true;
      this.#reading++;
      admitted.resolve();
    };
    this.#waiting.push(waiting);
    until.addEventListener("abort", leave, { once: true });
    if (until.aborted) leave();
    void this.#pump();
    await admitted.promise;
    until.removeEventListener("abort", leave);
  }

  /** What was read is in the inbox, or there was nothing. */
  leave(): void {
    this.#reading--;
    if (this.#waiting.length > 0) this.inbox.changed.notify();
  }

  get #hasRoom(): boolean {
    return this.#reading < MOST_READING && !this.inbox.full && !this.pause.on;
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#waiting.length > 0 && !this.stopped.aborted) {
        if (!this.#hasRoom) {
          await this.inbox.changed.wait({ signal: this.stopped });
          continue;
        }
        const next = this.#waiting.shift();
        if (!next || next.gone) continue;
        next.gone = true;
        this.#reading++;
        next.admit();
      }
    } finally {
      this.#pumping = false;
    }
  }
}
