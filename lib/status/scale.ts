/**
 * One number for autoscalers: how much work there is now, for all workers together (operations 9).
 *
 * @module
 */
import type { BaseBroker, Peer } from "../adapters/ports.ts";
import { lanesOf } from "../domain/lanes.ts";
import { brokerOf, subscriptionBroker } from "../domain/places.ts";
import { type AgesInSeconds, agesInSeconds, UNKNOWN_AGES } from "./ages.ts";
import type { StatusRuntime } from "./collect.ts";
import type { StatusRow } from "./row.ts";

/** What is counted where a broker has lost count of a group's lag. */
const MOST_COUNTED = 10_000;

/** Figures of one subscription; null is unknown. */
export interface ScaleOfSubscription {
  readonly lag: number | null;
  readonly pending: number | null;
  readonly retrying: number;
}

/** The body of `/scale`. */
export interface Scale {
  /** `lag + pending - retrying + outbox`: what somebody could work on now. */
  readonly work: number;
  /** Messages that no worker has been given yet. */
  readonly lag: number;
  /** Messages that workers have. */
  readonly pending: number;
  /** Of these, those that wait for the time of their next attempt, as their workers last told. */
  readonly retrying: number;
  readonly held: number;
  readonly parked: number;
  /** Rows that are not published yet. */
  readonly outbox: number;
  /** Age of the first message that waits or is pending; null where nobody can tell. */
  readonly oldest_age_seconds: number | null;
  /** Subscriptions and outboxes whose figures are not known, or not exactly. */
  readonly unknown: readonly string[];
  readonly subscriptions: Readonly<Record<string, ScaleOfSubscription>>;
}

/** Who is told of what was asked on the way, so that nobody asks for it again. */
export interface Asked {
  /** All workers; undefined: nobody knows. */
  peers?(peers: readonly Peer[] | undefined): void;
  /**
   * Seconds since the first message of a row that waits or is pending; null: nobody knows. `ages` has both.
   */
  age?(row: StatusRow, seconds: number | null, ages: AgesInSeconds): void;
}

/** From the rows of a status, which it asks the brokers about once more where they do not say enough. */
export async function scaleOf(
  runtime: StatusRuntime,
  rows: readonly StatusRow[],
  asked: Asked = {},
): Promise<Scale> {
  const { peers: known } = subscriptionBroker(runtime);
  const peers = known ? await known.list().catch(() => undefined) : [];
  asked.peers?.(peers);
  const retrying = retryingOf(peers ?? []);
  const unknown: string[] = [];
  const subscriptions: Record<string, ScaleOfSubscription> = {};
  const totals = { lag: 0, pending: 0, retrying: 0, outbox: 0 };
  let oldest: number | null = 0;
  for (const row of rows) {
    const lag = row.lag ?? await counted(runtime, row);
    if (row.lag === null || row.pending === null) unknown.push(row.name);
    const ages = await agesOf(runtime, row);
    const age = elder(ages);
    asked.age?.(row, age, ages);
    oldest = age === null ? oldest : Math.max(oldest ?? 0, age);
    if (row.subscription_type === "outbox") {
      totals.outbox += lag ?? 0;
      continue;
    }
    const pending = row.pending;
    const waiting = Math.min(retrying.get(keyOf(row.handler_name, row.stream_category)) ?? 0, pending ?? 0);
    // A handler of several categories is one subscription each, under one name.
    subscriptions[row.name] = together(subscriptions[row.name], { lag, pending, retrying: waiting });
    totals.lag += lag ?? 0;
    totals.pending += pending ?? 0;
    totals.retrying += waiting;
  }
  if (oldest === 0 && unknown.length === rows.length && rows.length > 0) oldest = null;
  const { lag, pending, outbox } = totals;
  return {
    ...{ work: lag + pending - totals.retrying + outbox, lag, pending, retrying: totals.retrying },
    ...{ held: 0, parked: 0, outbox, oldest_age_seconds: oldest, unknown, subscriptions },
  };
}

function together(one: ScaleOfSubscription | undefined, other: ScaleOfSubscription): ScaleOfSubscription {
  if (!one) return other;
  const plus = (a: number | null, b: number | null) => a === null || b === null ? null : a + b;
  return {
    lag: plus(one.lag, other.lag),
    pending: plus(one.pending, other.pending),
    retrying: one.retrying + other.retrying,
  };
}

/** What all workers have told of theirs, by handler and category. */
function retryingOf(peers: readonly Peer[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { fields } of peers) {
    for (const { handler, category, retrying } of toldOf(fields["subscriptions"])) {
      const key = keyOf(handler, category);
      sums.set(key, (sums.get(key) ?? 0) + retrying);
    }
  }
  return sums;
}

interface Told {
  readonly handler: string;
  readonly category: string;
  readonly retrying: number;
}

/** Of a worker of another release it may be anything. */
function toldOf(text: string | undefined): readonly Told[] {
  try {
    const all: unknown[] = Object.values(JSON.parse(text ?? "{}"));
    return all.filter((each): each is Told => {
      const { handler, category, retrying } = (each ?? {}) as Partial<Told>;
      return typeof handler === "string" && typeof category === "string" && Number.isSafeInteger(retrying);
    });
  } catch {
    return [];
  }
}

/** Entries behind the group's place in its stream, where the broker has lost count of them. */
async function counted(runtime: StatusRuntime, row: StatusRow): Promise<number | null> {
  const broker = streamOf(runtime, row);
  // A group that is not there yet reads from the beginning.
  if (broker && row.current_position === null) {
    return await broker.length(row.stream_category).then(
      (length) => Math.min(length, MOST_COUNTED),
      () => null,
    );
  }
  if (!broker?.countAfter || row.current_position === null) return null;
  return await broker.countAfter(row.stream_category, row.current_position, MOST_COUNTED).catch(() => null);
}

/** Costs nothing where nothing waits. */
async function agesOf(runtime: StatusRuntime, row: StatusRow): Promise<AgesInSeconds> {
  if (row.lag === 0 && !row.pending) return { undelivered: 0, pending: 0 };
  const broker = streamOf(runtime, row);
  const runner = runtime.runners.find(({ name }) => name === row.handler_name);
  if (!broker || !runner) return { undelivered: row.lag_seconds, pending: row.oldest_pending_seconds };
  // Of every key of a parted category together nobody knows how long they have waited.
  if (row.partitions !== undefined) return UNKNOWN_AGES;
  const backfill = lanesOf(runtime.config.config)?.backfillOf(runner, row.stream_category);
  const [first, ...lanes] = await Promise.all(
    [row.stream_category, ...backfill === undefined ? [] : [backfill]].map((stream) =>
      agesInSeconds(broker, stream, runner.group).catch(() => UNKNOWN_AGES)
    ),
  );
  return lanes.reduce((one, other) => ({
    undelivered: older(one.undelivered, other.undelivered),
    pending: older(one.pending, other.pending),
  }), first ?? UNKNOWN_AGES);
}

function elder({ undelivered, pending }: AgesInSeconds): number | null {
  return undelivered === null && pending === null ? null : Math.max(undelivered ?? 0, pending ?? 0);
}

/** The broker that a row is about; undefined for those that are about a database. */
function streamOf(runtime: StatusRuntime, row: StatusRow): BaseBroker | undefined {
  if (row.subscription_type !== "stream" && row.subscription_type !== "broker") return undefined;
  const runner = runtime.runners.find(({ name }) => name === row.handler_name);
  return runner && brokerOf(runtime, runner);
}

function keyOf(handler: string, category: string): string {
  return JSON.stringify([handler, category]);
}

/** Of the first that waits on either lane; one whose group is not there yet has nothing to tell. */
function older(one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.max(one, other);
}
