/**
 * Items that wait for their time: one queue and one timer, however many wait (delivery 2).
 *
 * @module
 */
import TinyQueue from "tinyqueue";
import type { Clock } from "../async/clock.ts";

interface Entry<T> {
  readonly at: number;
  readonly item: T;
}

export class RetrySchedule<T> {
  #queue = new TinyQueue<Entry<T>>([], (a, b) => a.at - b.at);
  #cancel: (() => void) | undefined;
  #armedFor = Infinity;
  #closed = false;

  /** `due` gets each item when its time has come. */
  constructor(private readonly clock: Clock, private readonly due: (item: T) => void) {}

  /** Hands `item` to `due` after `ms`. */
  add(item: T, ms: number): void {
    if (this.#closed) return;
    this.#queue.push({ at: this.clock.monotonic() + ms, item });
    this.#arm();
  }

  /** Takes everything out; returns it in order of its time. */
  drain(): T[] {
    const items: T[] = [];
    for (let next = this.#queue.pop(); next; next = this.#queue.pop()) items.push(next.item);
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedFor = Infinity;
    return items;
  }

  /** Forgets everything and clears the timer, for good. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#queue = new TinyQueue();
  }

  #arm(): void {
    const first = this.#queue.peek();
    if (this.#closed || !first || first.at >= this.#armedFor) return;
    this.#cancel?.();
    this.#armedFor = first.at;
    this.#cancel = this.clock.after(Math.max(0, first.at - this.clock.monotonic()), () => this.#fire());
  }

  #fire(): void {
    this.#cancel = undefined;
    this.#armedFor = Infinity;
    const now = this.clock.monotonic();
    for (let first = this.#queue.peek(); first && first.at <= now; first = this.#queue.peek()) {
      this.#queue.pop();
      this.due(first.item);
    }
    this.#arm();
  }
}
