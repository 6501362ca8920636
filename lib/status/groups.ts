/**
 * Every consumer group of the streams that a domain reads or writes, whoever reads with it: what keeps entries
 * from being trimmed, and for how long already (delivery 8).
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { lanesOf } from "../domain/lanes.ts";
import { brokerOf, subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { agesInSeconds } from "./ages.ts";
import type { StatusRuntime } from "./collect.ts";

/** What is asked of a domain. */
export type GroupsRuntime =
  & Pick<DomainRuntime, "brokers" | "runners" | "messageNames" | "messageType">
  & Pick<StatusRuntime, "readsEventStore">
  & Partial<Pick<DomainRuntime, "config">>;

/** One group of one stream, as plain JSON. Null is unknown, never zero. */
export interface GroupRow {
  readonly stream: string;
  readonly group: string;
  /** The handler of this domain that reads with it; null: none does, so it is another program's or abandoned. */
  readonly handler_name: string | null;
  readonly lag: number | null;
  /** Age of the first entry not yet delivered; 0 where none waits. */
  readonly lag_seconds: number | null;
  readonly pending: number;
  /** Age of the first entry delivered and not acknowledged; 0 where there is none. */
  readonly oldest_pending_seconds: number | null;
  readonly consumer_count: number;
  readonly last_delivered_id: string;
}

/** In order of stream and group. Rejects as the broker does. */
export async function collectGroups(runtime: GroupsRuntime): Promise<readonly GroupRow[]> {
  const rows: GroupRow[] = [];
  for (const [broker, streams] of streamsOf(runtime)) {
    const runners = runtime.runners.filter((runner) => brokerOf(runtime, runner) === broker);
    for (const { stream, category } of streams) {
      rows.push(...await groupsOn(broker, { ...runtime, runners }, stream, category));
    }
  }
  return rows;
}

/** The handler that reads `stream` with `group`. One that reads the event store has left its group behind. */
export function readerOf(
  { runners, readsEventStore }: Pick<GroupsRuntime, "runners" | "readsEventStore">,
  stream: string,
  group: string,
): HandlerRunner | undefined {
  const found = runners.find((runner) => runner.group === group && runner.categories.includes(stream));
  return found && readsEventStore?.(found, stream) ? undefined : found;
}

async function groupsOn(
  broker: BaseBroker,
  runtime: Pick<GroupsRuntime, "runners" | "readsEventStore">,
  stream: string,
  category: string,
): Promise<GroupRow[]> {
  const groups = [...await broker.groups(stream)].sort((a, b) => a.group < b.group ? -1 : 1);
  return await Promise.all(groups.map(async ({ group, lag, pending, consumers, lastDeliveredId }) => {
    const age = await agesInSeconds(broker, stream, group);
    return {
      stream,
      group,
      handler_name: readerOf(runtime, category, group)?.name ?? null,
      lag,
      lag_seconds: age.undelivered,
      pending,
      oldest_pending_seconds: age.pending,
      consumer_count: consumers,
      last_delivered_id: lastDeliveredId,
    };
  }));
}

/** A stream, and the category that it is a lane of. */
interface Lane {
  readonly stream: string;
  readonly category: string;
}

/** What is subscribed to here, and what is published here, by broker: that of the domain first. */
function streamsOf(runtime: GroupsRuntime): ReadonlyMap<BaseBroker, readonly Lane[]> {
  const { runners, messageNames, messageType, config } = runtime;
  const own = subscriptionBroker(runtime);
  const published = messageNames.flatMap((name) => {
    const type = messageType(name);
    return type?.kind === "event" ? type.aggregate?.category ?? [] : [];
  });
  const found = new Map<BaseBroker, Map<string, Lane>>([[own, new Map()]]);
  const add = (broker: BaseBroker, stream: string, category = stream) => {
    const lanes = found.get(broker) ?? new Map<string, Lane>();
    found.set(broker, lanes.set(stream, { stream, category }));
  };
  for (const category of published) add(own, category);
  const lanes = config && lanesOf(config.config);
  for (const runner of runners) {
    for (const category of runner.categories) {
      add(brokerOf(runtime, runner), category);
      const backfill = lanes?.backfillOf(runner, category);
      if (backfill !== undefined) add(brokerOf(runtime, runner), backfill, category);
    }
  }
  const inOrder = (a: Lane, b: Lane) => a.stream < b.stream ? -1 : 1;
  return new Map([...found].map(([broker, streams]) => [broker, [...streams.values()].sort(inOrder)]));
}
