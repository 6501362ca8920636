/**
 * The figures of a category that is parted: those of the whole stream and of every key together (wire 8.7).
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";

/** Keys that are looked at: with more of them the figures are unknown. */
const MOST_KEYS = 10_000;

/** Of one stream and its group; null is unknown. */
export interface StreamFigures {
  readonly lag: number | null;
  readonly pending: number | null;
  readonly position: string | null;
  readonly head: number | null;
  readonly consumers: number | null;
}

/** Of all keys. */
export interface PartitionFigures extends Omit<StreamFigures, "position"> {
  readonly keys: number;
  /** Keys at which the group stands still, and what waits there: nothing of it is handled by itself. */
  readonly halted: { readonly keys: number; readonly waiting: number };
}

/**
 * Figures of a group in all partitions of a category; undefined where the category is whole. `count`: how
 * many keys the category has; `every`: all of them are looked at, however many there are.
 */
export async function partitionFigures(
  { partitions }: BaseBroker,
  { category, group }: { readonly category: string; readonly group: string },
  count: Promise<number>,
  every: boolean,
): Promise<PartitionFigures | undefined> {
  const keys = await count;
  if (keys === 0) return undefined;
  const most = every ? Infinity : MOST_KEYS;
  const info = await partitions?.info(category, group, most);
  const halted = (await partitions?.halted(category, group) ?? []).map(({ key }) => key);
  const still = halted.length === 0 ? undefined : await partitions?.info(category, group, most, halted);
  const figures = {
    keys,
    halted: { keys: halted.length, waiting: (still?.lag ?? 0) + (still?.pending ?? 0) },
  };
  if (!info) return { ...figures, lag: null, pending: null, head: null, consumers: null };
  return { ...figures, lag: info.lag, pending: info.pending, head: info.length, consumers: info.consumers };
}

/** `partitions`: null where they did not answer, undefined where there are none. */
export function withPartitions(
  whole: StreamFigures,
  partitions: PartitionFigures | null | undefined,
): StreamFigures {
  if (partitions === undefined) return whole;
  if (partitions === null) return { lag: null, pending: null, position: null, head: null, consumers: null };
  return {
    lag: sum(whole.lag, partitions.lag),
    pending: sum(whole.pending, partitions.pending),
    position: `${partitions.keys} partition(s)`,
    head: sum(whole.head, partitions.head),
    consumers: sum(whole.consumers, partitions.consumers),
  };
}

function sum(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}
