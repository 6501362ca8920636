/**
 * A flood of things that are each worth a line of the log is told in few lines: the first of them, and how
 * many more there were.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

export interface SparingOptions {
  readonly clock: Clock;
  /** Told one by one within `everyMs`. */
  readonly most: number;
  readonly everyMs: number;
  /** Called with the number of those that were not, at the end of that time or at `close()`. */
  readonly rest: (count: number) => void;
}

export class Sparing {
  readonly #options: SparingOptions;
  #until = -Infinity;
  #left = 0;
  #more = 0;
  #cancel: (() => void) | undefined;

  constructor(options: SparingOptions) {
    this.#options = options;
  }

  /** Returns whether this one is to be told; it is counted where not. */
  allows(): boolean {
    const { clock, most, everyMs } = this.#options;
    const now = clock.monotonic();
    if (now >= this.#until) {
      this.close();
      this.#until = now + everyMs;
      this.#left = most;
    }
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    this.#more++;
    this.#cancel ??= clock.after(this.#until - now, () => this.close());
    return false;
  }

  /** Tells how many were not told so far. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const more = this.#more;
    this.#more = 0;
    if (more > 0) this.#options.rest(more);
  }
}
