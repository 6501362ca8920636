/**
 * Lets one item of a key in at a time; the later ones wait in order (delivery 4). Items that are worked on in
 * one batch may be inside together.
 *
 * @module
 */
import { Fifo } from "./fifo.ts";

export class OrderGate<T> {
  readonly #inside = new Map<string, Fifo<T> | undefined>();
  /** Those inside, in order, of keys that have more than one. */
  readonly #together = new Map<string, T[]>();

  /**
   * True: go on, and call `leave(key)` when finished. False: the item waits and will be returned by a
   * `leave`.
   */
  enter(key: string, item: T): boolean {
    if (!this.#inside.has(key)) {
      this.#inside.set(key, undefined);
      return true;
    }
    const waiting = this.#inside.get(key);
    if (waiting) waiting.push(item);
    else {
      const first = new Fifo<T>();
      first.push(item);
      this.#inside.set(key, first);
    }
    return false;
  }

  /** An item goes in behind `mate`, which is the last one inside; nobody waits, or the item waits first. */
  join(key: string, mate: T, item: T): void {
    const together = this.#together.get(key);
    if (together) together.push(item);
    else this.#together.set(key, [mate, item]);
    const waiting = this.#inside.get(key);
    if (waiting?.next === item) waiting.shift();
  }

  /** Whether nobody inside comes before an item that is inside. */
  leads(key: string, item: T): boolean {
    const together = this.#together.get(key);
    return !together || together[0] === item;
  }

  /** An item that does not lead goes out, and waits before all others. */
  putBack(key: string, item: T): void {
    this.#part(key, item);
    const waiting = this.#inside.get(key) ?? new Fifo<T>();
    this.#inside.set(key, waiting);
    waiting.unshift(item);
  }

  /** False: it was inside alone. */
  #part(key: string, item: T | undefined): boolean {
    const together = this.#together.get(key);
    if (!together) return false;
    const rest = together.filter((other) => other !== item);
    if (rest.length > 1) this.#together.set(key, rest);
    else this.#together.delete(key);
    return true;
  }

  /**
   * `item` goes, which has to be told where several are inside. Returns the key's next item, which is inside from
   * now on; undefined when nobody waits, or others are still inside.
   */
  leave(key: string, item?: T): T | undefined {
    if (this.#together.size > 0 && this.#part(key, item)) return undefined;
    const waiting = this.#inside.get(key);
    const next = waiting?.shift();
    if (next === undefined) {
      this.#inside.delete(key);
      return undefined;
    }
    return next;
  }

  /** Those of the key that wait next, at most `count`. */
  waiting(key: string, count: number): readonly T[] {
    return this.#inside.get(key)?.first(count) ?? [];
  }
}
