/**
 * How often handlers have thrown `Discard`, by their reasons. Bounded: a reason may hold an id against all
 * advice (TEL-1).
 *
 * @module
 */

/** Different reasons that are kept. */
const MOST_REASONS = 50;
/** In place of those beyond. */
const OTHER = "other";

export class Reasons {
  readonly #counts = new Map<string, number>();

  /** Counts one; returns the reason that it is counted as. */
  count(reason: string): string {
    const kept = this.#counts.has(reason) || this.#counts.size < MOST_REASONS ? reason : OTHER;
    this.#counts.set(kept, (this.#counts.get(kept) ?? 0) + 1);
    return kept;
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
