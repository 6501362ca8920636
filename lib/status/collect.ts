/**
 * The status of every subscription and outbox of a domain, asked of brokers and databases alone: no engine
 * need run. For `/readyz`, `--once` and `subscriptions status`.
 *
 * @module
 */
import type { BaseBroker, BaseProvider, GroupInfo } from "../adapters/ports.ts";
import { Inquiry } from "./inquiry.ts";
import { eventStoreRow } from "./event_store_row.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { KINDS } from "../domain/kinds.ts";
import { lanesOf } from "../domain/lanes.ts";
import { brokerOf, type OutboxRoute, outboxRoutes, type Places } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { deadLetterStream, replayLane } from "../message/names.ts";
import { agesInSeconds } from "./ages.ts";
import { partitionFigures, withPartitions } from "./partitions.ts";
import { NO_EVENT_STORE, type StatusRow, verdict } from "./row.ts";

/** The domain whose status is wanted; it must be initialised. */
export type StatusRuntime = Places & Pick<DomainRuntime, "runners" | "eventStore" | "clock"> & {
  /** Whether a handler reads a category from the event store. @default none does */
  readonly readsEventStore?: (runner: HandlerRunner, category: string) => boolean;
};

/** One subscription each. */
interface Reading {
  readonly runner: HandlerRunner;
  readonly category: string;
}

/** How many rows `collectStatus` returns; costs no I/O. */
export function statusCount(runtime: StatusRuntime): number {
  return readings(runtime).length + outboxRoutes(runtime).length;
}

export interface StatusOptions {
  /** Asks also how long entries have waited, which costs two more questions for each subscription. */
  readonly ages?: boolean;
  /** Looks at every key of a parted category, however many there are, which takes its time. */
  readonly everyKey?: boolean;
  /** Asks for every figure, and knows afterwards why some are unknown. @default one without a time limit */
  readonly inquiry?: Inquiry;
}

/**
 * One row for each subscription, then one for each outbox and broker. A figure that cannot be had is null and
 * blanks nothing else; rejects, with the first reason, only where nothing at all answers.
 */
export async function collectStatus(
  runtime: StatusRuntime,
  { ages = false, everyKey = false, inquiry = new Inquiry() }: StatusOptions = {},
): Promise<readonly StatusRow[]> {
  const groups = new Map<string, Promise<readonly GroupInfo[] | null>>();
  const groupsOf = (broker: BaseBroker, stream: string) => {
    const key = `${broker.name} ${stream}`;
    const asked = groups.get(key) ?? inquiry.of(() => broker.groups(stream));
    groups.set(key, asked);
    return asked;
  };
  const once = askedOnce();
  const lanes = lanesOf(runtime.config.config);
  const rows = await Promise.all([
    ...readings(runtime).map((reading) => {
      const { eventStore, clock, readsEventStore } = runtime;
      const { category, runner } = reading;
      if (eventStore && readsEventStore?.(runner, category)) {
        return eventStoreRow(reading, eventStore, clock, inquiry);
      }
      const broker = brokerOf(runtime, runner);
      const backfill = lanes?.backfillOf(runner, category);
      const row = streamRow(reading, broker, {
        ...{ groups: groupsOf(broker, category), ages, everyKey, inquiry, once },
      });
      if (backfill === undefined) return row;
      return withBackfill(
        row,
        { backfill, group: runner.group },
        broker,
        { groups: groupsOf(broker, backfill), ages, everyKey, inquiry, once },
      );
    }),
    ...outboxRoutes(runtime).map((route) => outboxRow(route, inquiry)),
  ]);
  inquiry.assertSome();
  return rows;
}

type AskedOnce = (what: string, ask: () => Promise<number>) => Promise<number>;

/** What is asked for many rows and the same for all of them is asked once. */
function askedOnce(): AskedOnce {
  const asked = new Map<string, Promise<number>>();
  return (what, ask) => {
    const answer = asked.get(what) ?? ask();
    asked.set(what, answer);
    return answer;
  };
}

function readings({ runners }: StatusRuntime): readonly Reading[] {
  return runners.flatMap((runner) => runner.categories.map((category) => ({ runner, category })));
}

/** What the rows of one status are asked with. */
interface Asking {
  readonly groups: Promise<readonly GroupInfo[] | null>;
  readonly ages: boolean;
  readonly everyKey: boolean;
  readonly inquiry: Inquiry;
  readonly once: AskedOnce;
}

async function streamRow(
  { runner, category }: Reading,
  broker: BaseBroker,
  { groups, ages, everyKey, inquiry, once }: Asking,
): Promise<StatusRow> {
  const key = `${broker.name} ${category}`;
  const keyCount = () => once(`keys ${key}`, async () => await broker.partitions?.count(category) ?? 0);
  const [found, partitions, dlqDepth, replays, age] = await Promise.all([
    groups,
    broker.partitions &&
    inquiry.of(() => partitionFigures(broker, { category, group: runner.group }, keyCount(), everyKey)),
    inquiry.of(() => once(`dead ${key}`, () => broker.deadLetters.depth(deadLetterStream(category)))),
    inquiry.of(() => broker.length(replayLane(category, runner.group))),
    ages ? inquiry.of(() => agesInSeconds(broker, category, runner.group)) : null,
  ]);
  const info = found?.find(({ group }) => group === runner.group);
  const whole = {
    lag: info?.lag ?? null,
    pending: info?.pending ?? null,
    position: info?.lastDeliveredId ?? null,
    head: info?.length ?? await inquiry.of(() => broker.length(category)),
    consumers: info?.consumers ?? null,
  };
  const { lag, pending, position, head, consumers } = withPartitions(whole, partitions);
  const parted = partitions !== undefined;
  return {
    name: KINDS[runner.kind].rowName(runner.group, category),
    handler_name: runner.name,
    subscription_type: KINDS[runner.kind].messages === "raw" ? "broker" : "stream",
    stream_category: category,
    lag,
    pending,
    current_position: position,
    head_position: head,
    status: verdict(lag, pending),
    consumer_count: consumers,
    dlq_depth: dlqDepth,
    returning: replays,
    // Of every key together nobody knows them.
    lag_seconds: parted ? null : age?.undelivered ?? null,
    oldest_pending_seconds: parted ? null : age?.pending ?? null,
    breaker: null,
    ...NO_EVENT_STORE,
    ...(partitions && {
      partitions: partitions.keys,
      halted_partitions: partitions.halted.keys,
      held_back: partitions.halted.waiting,
    }),
  };
}

/** Both lanes as one: what waits, is pending or dead on either is the subscription's. */
async function withBackfill(
  primary: Promise<StatusRow>,
  { backfill, group }: { readonly backfill: string; readonly group: string },
  broker: BaseBroker,
  { groups, ages, inquiry, once }: Asking,
): Promise<StatusRow> {
  const dead = `dead ${broker.name} ${backfill}`;
  const [row, found, depth, age] = await Promise.all([
    primary,
    groups,
    inquiry.of(() => once(dead, () => broker.deadLetters.depth(deadLetterStream(backfill)))),
    ages ? inquiry.of(() => agesInSeconds(broker, backfill, group)) : null,
  ]);
  const info = found?.find((each) => each.group === group);
  const lag = plus(row.lag, info?.lag ?? null);
  const pending = plus(row.pending, info?.pending ?? null);
  return {
    ...row,
    ...{ lag, pending, status: verdict(lag, pending), dlq_depth: plus(row.dlq_depth, depth) },
    lag_seconds: older(row.lag_seconds, age?.undelivered ?? null),
    oldest_pending_seconds: older(row.oldest_pending_seconds, age?.pending ?? null),
  };
}

/** Null is unknown, never zero. */
function plus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** Of the first that waits on either. */
function older(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

async function outboxRow({ provider, broker, external }: OutboxRoute, inquiry: Inquiry): Promise<StatusRow> {
  const counts = await inquiry.of(() => provider.outbox.backlog(broker.name));
  const oldest = counts && await inquiry.of(() => oldestMs(provider, broker));
  const lag = counts && counts.pending + counts.processing;
  return {
    name: `outbox-processor-${provider.name}-to-${broker.name}${external ? "-external" : ""}`,
    handler_name: "OutboxProcessor",
    subscription_type: "outbox",
    stream_category: `${provider.name} → ${broker.name}${external ? " (external)" : ""}`,
    lag,
    pending: counts && counts.processing,
    current_position: null,
    head_position: null,
    status: verdict(lag, 0),
    consumer_count: null,
    dlq_depth: counts && counts.failed + counts.abandoned,
    returning: counts && counts.failed,
    lag_seconds: oldest === null ? null : oldest / 1000,
    oldest_pending_seconds: null,
    breaker: null,
    ...NO_EVENT_STORE,
  };
}

/** A server asks for it all the time, to see whether anybody publishes: that answer will do. */
const RECENT_MS = 2_500;

async function oldestMs({ outbox }: BaseProvider, { name }: BaseBroker): Promise<number> {
  return (await outbox.oldestDue(name, RECENT_MS))?.waitedMs ?? 0;
}
