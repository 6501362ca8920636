/**
 * A queue that takes from its front in constant time, however long it is.
 *
 * @module
 */

/** So many places in front may be empty before they are given back. */
const EMPTY = 1024;

export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts an item before all others; takes time with their number where many were put back before. */
  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  /** The next item, which stays; undefined when there is none. */
  get next(): T | undefined {
    return this.#items[this.#head];
  }

  /** The next item, taken out; undefined when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head++];
    if (this.length === 0 || this.#head > EMPTY && this.#head > this.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The next `count` items, which stay. */
  first(count: number): readonly T[] {
    return this.#items.slice(this.#head, this.#head + count);
  }
}
