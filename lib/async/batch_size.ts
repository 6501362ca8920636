/**
 * How many texts are asked for at once: fewer where they are large, since their size is known only when they
 * are there (SEC-3).
 *
 * @module
 */

/** Asked for at first where the size of texts is told only by sending them. */
const FIRST = 16;

/** Options of `BatchSize`. */
export interface BatchSizeOptions {
  /** Texts asked for while they are small. */
  readonly most: number;
  /** What a batch should not be larger than. */
  readonly mostSize: number;
  /** Fewer at first. */
  readonly cautious: boolean;
}

export class BatchSize {
  readonly #most: number;
  readonly #mostSize: number;
  #next: number;

  constructor({ most, mostSize, cautious }: BatchSizeOptions) {
    this.#most = most;
    this.#mostSize = mostSize;
    this.#next = cautious ? Math.min(most, FIRST) : most;
  }

  get next(): number {
    return this.#next;
  }

  /** So many came, of such a size together: after a large batch half as many, after a full one twice. */
  came(count: number, size: number): void {
    if (size > this.#mostSize) this.#next = Math.max(1, this.#next >> 1);
    else if (count >= this.#next && 2 * size <= this.#mostSize) {
      this.#next = Math.min(this.#most, 2 * this.#next);
    }
  }
}
