/**
 * Chance that can be repeated: every schedule of faults comes from one seed, and a failure names it.
 *
 * @module
 */

/** A source of numbers that answers the same for the same seed. */
export class Chance {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0, below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A number from `low` up to and without `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new RangeError("There is nothing to pick from.");
    return item;
  }
}

/** The seed of this run: `AUDIT_SEED`, or a new one. */
export function runSeed(): number {
  const given = Deno.env.get("AUDIT_SEED");
  return given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0 : Number(given) >>> 0;
}

/** How many events a run commits: `AUDIT_N`, or 10,000. */
export function runSize(): number {
  const size = Number(Deno.env.get("AUDIT_N") ?? 10_000);
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`AUDIT_N must be a whole number above 0: current value is ${size}.`);
  }
  return size;
}

/**
 * How long a fault lasts, in milliseconds: shortened in CI, as long as the sheet of faults says with
 * `AUDIT_FULL=1` (`deno task chaos`).
 */
export function lasting(full: number, shortened: number): number {
  return Deno.env.get("AUDIT_FULL") === "1" ? full : shortened;
}
