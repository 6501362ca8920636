/**
 * How many entries are asked for at once: fewer where they are large, since their size is known only when
 * they are there (SEC-3).
 *
 * @module
 */
import { MOST_SIZE } from "./holdings.ts";

/** Asked for at first where a broker tells the size of entries only by sending them. */
const FIRST = 16;

export class BatchSize {
  readonly #most: number;
  #next: number;

  /** `most`: entries asked for while they are small. `cautious`: fewer at first. */
  constructor(most: number, cautious: boolean) {
    this.#most = most;
    this.#next = cautious ? Math.min(most, FIRST) : most;
  }

  get next(): number {
    return this.#next;
  }

  /** So many came, of such a size together: after a large batch half as many, after a full one twice. */
  came(count: number, size: number): void {
    if (size > MOST_SIZE) this.#next = Math.max(1, this.#next >> 1);
    else if (count >= this.#next && 2 * size <= MOST_SIZE) this.#next = Math.min(this.#most, 2 * this.#next);
  }
}
