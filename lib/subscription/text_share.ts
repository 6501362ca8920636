/**
 * The text that all subscriptions of a process hold together: each has its own bound, and there may be many.
 *
 * @module
 */

/** Held together before those that hold something read no more, in UTF-16 units. */
export const SHARED_PAUSE_SIZE = 64 * 1024 * 1024;

export class TextShare {
  readonly #waiting = new Set<() => void>();
  #size = 0;

  /** Enough is held by all together. */
  get full(): boolean {
    return this.#size >= SHARED_PAUSE_SIZE;
  }

  /** So much is held that what only waits should not keep its text: it alone must never pause the reading. */
  get crowded(): boolean {
    return this.#size >= SHARED_PAUSE_SIZE / 2;
  }

  /** More is held, or (negative) less. */
  change(size: number): void {
    const before = this.#size;
    this.#size += size;
    if (before >= SHARED_PAUSE_SIZE && this.#size < SHARED_PAUSE_SIZE) {
      for (const wake of [...this.#waiting]) {
        wake();
      }
    }
  }

  /** Calls `wake` whenever there is room again; returns the way to stop that. */
  watch(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }
}
