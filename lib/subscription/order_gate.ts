/**
 * Lets one item of a key in at a time; the later ones wait in order (delivery 4).
 *
 * @module
 */
import { Fifo } from "./fifo.ts";

export class OrderGate<T> {
  readonly #inside = new Map<string, Fifo<T> | undefined>();

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

  /** The key's next item, which is inside from now on, or undefined when nobody waits. */
  leave(key: string): T | undefined {
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
