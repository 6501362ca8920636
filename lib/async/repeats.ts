/**
 * What comes again and again is told when it comes first, and then once in each interval with how often it has
 * come since. Of many different things in one interval the first few are told so, the others are counted.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

export interface RepeatsOptions<F> {
  readonly clock: Clock;
  /** Different ones that are told in an interval, which is all that is kept. */
  readonly most: number;
  readonly everyMs: number;
  /** Called at the end of an interval, and at `close()`: `facts` are the last ones. */
  readonly again: (facts: F, times: number) => void;
  /** As `again`, with the number of those that were beyond `most`. */
  readonly rest: (count: number) => void;
}

interface Known<F> {
  facts: F;
  times: number;
}

export class Repeats<F> {
  readonly #options: RepeatsOptions<F>;
  readonly #known = new Map<string, Known<F>>();
  #until = -Infinity;
  #more = 0;
  #cancel: (() => void) | undefined;

  constructor(options: RepeatsOptions<F>) {
    this.#options = options;
  }

  /** Returns whether this one is to be told now; it is counted where not. */
  isFirst(key: string, facts: F): boolean {
    const { clock, most } = this.#options;
    const now = clock.monotonic();
    if (now >= this.#until) this.#begin(now);
    const known = this.#known.get(key);
    if (known) {
      known.facts = facts;
      known.times++;
    } else if (this.#known.size < most) {
      this.#known.set(key, { facts, times: 0 });
      return true;
    } else this.#more++;
    this.#cancel ??= clock.after(this.#until - now, () => this.#begin(this.#until));
    return false;
  }

  /** Tells what it has kept to itself. */
  close(): void {
    this.#tell();
    this.#known.clear();
  }

  /** An interval ends, and the next one begins. */
  #begin(now: number): void {
    this.#tell();
    this.#until = now + this.#options.everyMs;
  }

  /** Whoever has come again is known in the next interval too. */
  #tell(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const [key, known] of [...this.#known]) {
      const { facts, times } = known;
      known.times = 0;
      if (times === 0) this.#known.delete(key);
      else this.#options.again(facts, times);
    }
    const more = this.#more;
    this.#more = 0;
    if (more > 0) this.#options.rest(more);
  }
}
