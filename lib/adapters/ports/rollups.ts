/**
 * The port of rollups: what all workers have done, minute by minute, kept for a day (operations 8).
 *
 * @module
 */

/** Upper bounds of the buckets of critical times, in seconds; a twelfth has what takes longer. */
export const ROLLUP_BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200] as const;

/** How long a minute is kept, in ms: 26 hours. */
export const ROLLUP_KEPT_MS = 26 * 3_600_000;

/** What is counted in a minute, in the order in which adapters keep it. Times are whole milliseconds. */
export const ROLLUP_FIGURES = [
  "handled",
  "failed",
  "retried",
  "dead",
  "duration_sum_ms",
  "duration_max_ms",
  "critical_sum_ms",
  "critical_max_ms",
] as const;
export type RollupFigure = typeof ROLLUP_FIGURES[number];

/** Those of which the largest is kept; all others are added. */
export const LARGEST: ReadonlySet<RollupFigure> = new Set(["duration_max_ms", "critical_max_ms"]);

export interface Rollup {
  /** Name of its row in `subscriptions status`. */
  readonly subscription: string;
  /** Whole minutes since 1970. */
  readonly minute: number;
  readonly figures: Readonly<Record<RollupFigure, number>>;
  /** How many messages were handled within each of `ROLLUP_BOUNDS`, and after the last. Twelve of them. */
  readonly buckets: readonly number[];
}

/** Shared by all processes on one broker. Methods reject with `BrokerUnavailableError`. */
export interface Rollups {
  /**
   * Adds to what others have told of these minutes. Where it rejects, some of them may have been added:
   * whoever repeats it counts twice.
   */
  add(rollups: readonly Rollup[]): Promise<void>;
  /** The minutes of a subscription in which something was done, from `from` on and before `to`, in order. */
  read(subscription: string, from: number, to: number): Promise<readonly Rollup[]>;
}

/** Names under which adapters keep the buckets. */
export const ROLLUP_BUCKETS: readonly string[] = Array.from(
  { length: ROLLUP_BOUNDS.length + 1 },
  (_, at) => `bucket_${at}`,
);

/** Every figure with its value. */
export function rollupFigures(valueOf: (figure: RollupFigure) => number): Record<RollupFigure, number> {
  return Object.fromEntries(ROLLUP_FIGURES.map((figure) => [figure, valueOf(figure)])) as Record<
    RollupFigure,
    number
  >;
}

/** Both in one. They are of the same minute. */
export function addedRollup(one: Rollup, other: Rollup): Rollup {
  const figures = rollupFigures((figure) => {
    const [a, b] = [one.figures[figure], other.figures[figure]];
    return LARGEST.has(figure) ? Math.max(a, b) : a + b;
  });
  return { ...one, figures, buckets: one.buckets.map((count, at) => count + (other.buckets[at] ?? 0)) };
}
