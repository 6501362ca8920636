/**
 * Groups that handlers have left on their streams, because they read the event store now: nobody reads with
 * them, so what is in them is handled by nobody, and no stream is trimmed past them (delivery 8).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, GroupInfo } from "../adapters/ports.ts";
import { asError } from "../errors.ts";
import { replayLane } from "../message/names.ts";
import type { PlannedSubscription } from "./subscription_plan.ts";

const log = getLogger(["protean", "engine"]);

/** A group that would be read if its handler read the stream. */
export interface UnreadGroup {
  readonly broker: BaseBroker;
  readonly handler: string;
  readonly stream: string;
  readonly group: string;
}

/** Of every handler that reads the event store, in both lanes of its category. */
export function* unreadGroups(subscriptions: Iterable<PlannedSubscription>): Generator<UnreadGroup> {
  for (const { runner, category, backfill, broker, settings } of subscriptions) {
    if (settings.subscriptionType !== "event_store") continue;
    for (const stream of backfill === undefined ? [category] : [category, backfill]) {
      yield { broker, handler: runner.name, stream, group: runner.group };
    }
  }
}

/** Warns of each one that is there. Never rejects: a broker that does not say is no reason not to start. */
export async function tellLeftGroups(broker: BaseBroker, groups: readonly UnreadGroup[]): Promise<void> {
  const asked = new Map<string, Promise<readonly GroupInfo[]>>();
  for (const { handler, stream, group } of groups) {
    try {
      const found = asked.get(stream) ?? broker.groups(stream);
      asked.set(stream, found);
      const left = (await found).find((each) => each.group === group);
      if (!left) continue;
      log.warn("subscription.group_left", {
        ...{ handler, stream, group, lag: left.lag, pending: left.pending },
        replayed: await broker.length(replayLane(stream, group)),
        hint:
          `${handler} reads the event store, so nobody reads with this group, and it keeps the stream from being ` +
          `trimmed: remove it with \`subscriptions drop-group ${stream} ${group}\`.`,
      });
    } catch (error) {
      log.debug("engine.groups_unknown", { stream, error: asError(error).message });
    }
  }
}
