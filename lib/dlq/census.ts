/**
 * How many letters each handler has in a queue that several share (DLQ-1). New letters are counted as they
 * come; where the sum does not agree with the queue's length, because some were replayed or purged, all are
 * counted again, but not so often that a long queue is read all the time.
 *
 * @module
 */
import type { DeadLetters } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { lettersAfter } from "./letters.ts";
import { type HandlerRule, ruleOf, type WatchedQueue } from "./watched_queue.ts";

/** Counting again takes at most this share of the time. */
const REST = 20;

export class Census {
  readonly #deadLetters: DeadLetters;
  readonly #queue: WatchedQueue;
  readonly #maxEntryBytes: number;
  readonly #clock: Clock;
  readonly #counts = new Map<HandlerRule | undefined, number>();
  #last: string | undefined;
  /** On the monotonic scale: not counted again before. */
  #restsUntil = 0;

  /** `maxEntryBytes`: see `Reading`. */
  constructor(deadLetters: DeadLetters, queue: WatchedQueue, maxEntryBytes: number, clock: Clock) {
    this.#deadLetters = deadLetters;
    this.#queue = queue;
    this.#maxEntryBytes = maxEntryBytes;
    this.#clock = clock;
  }

  /** Letters of the rule's handler, in a queue that holds `depth` in all, as far as it is known. */
  async count(rule: HandlerRule, depth: number, signal: AbortSignal): Promise<number> {
    await this.#readOn(signal);
    if (this.#sum !== depth && this.#clock.monotonic() >= this.#restsUntil) await this.#again(signal);
    return Math.min(depth, this.#counts.get(rule) ?? 0);
  }

  get #sum(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  async #again(signal: AbortSignal): Promise<void> {
    const began = this.#clock.monotonic();
    this.#counts.clear();
    this.#last = undefined;
    await this.#readOn(signal);
    const now = this.#clock.monotonic();
    this.#restsUntil = now + (now - began) * REST;
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    const { stream, rules } = this.#queue;
    const reading = { maxEntryBytes: this.#maxEntryBytes, signal };
    for await (const page of lettersAfter(this.#deadLetters, stream, this.#last, reading)) {
      for (const { id, letter } of page) {
        const rule = ruleOf(letter, rules);
        this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + 1);
        this.#last = id;
      }
    }
  }
}
