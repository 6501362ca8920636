/**
 * Items that wait for their time: one binary heap and one timer, however many wait (delivery 2).
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";

interface Entry<T> {
  readonly at: number;
  readonly item: T;
}

export class RetrySchedule<T> {
  readonly #heap: Entry<T>[] = [];
  #cancel: (() => void) | undefined;
  #armedFor = Infinity;
  #closed = false;

  /** `due` gets each item when its time has come. */
  constructor(private readonly clock: Clock, private readonly due: (item: T) => void) {}

  get size(): number {
    return this.#heap.length;
  }

  /** Hands `item` to `due` after `ms`. */
  add(item: T, ms: number): void {
    this.#push({ at: this.clock.monotonic() + ms, item });
    this.#arm();
  }

  /** Forgets everything and clears the timer, for good; answers what was waiting. */
  close(): readonly T[] {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedFor = Infinity;
    return this.#heap.splice(0).map((entry) => entry.item);
  }

  #arm(): void {
    const first = this.#heap[0];
    if (this.#closed || !first || first.at >= this.#armedFor) return;
    this.#cancel?.();
    this.#armedFor = first.at;
    this.#cancel = this.clock.after(Math.max(0, first.at - this.clock.monotonic()), () => this.#fire());
  }

  #fire(): void {
    this.#cancel = undefined;
    this.#armedFor = Infinity;
    const now = this.clock.monotonic();
    for (let first = this.#heap[0]; first && first.at <= now; first = this.#heap[0]) {
      this.#pop();
      this.due(first.item);
    }
    this.#arm();
  }

  #push(entry: Entry<T>): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (!above || above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0 || !last) return;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      let below = heap[child];
      if (!below) break;
      const right = heap[child + 1];
      if (right && right.at < below.at) {
        child++;
        below = right;
      }
      if (last.at <= below.at) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}
