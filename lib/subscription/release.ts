/**
 * The end of a subscription: everything earned is acknowledged, everything unfinished is handed back (delivery 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { StreamGroup } from "../adapters/ports.ts";
import { type Clock, sleep } from "../clock.ts";
import { asError } from "../errors.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Inbox } from "./inbox.ts";

const log = getLogger(["protean", "subscription"]);

/** A broker that does not answer may not hold up the exit: its entries are claimed when they have idled long enough. */
const RELEASE_TIMEOUT_MS = 1000;

export interface ReleaseParts {
  readonly main: StreamGroup;
  readonly lane: StreamGroup;
  readonly inbox: Inbox;
  readonly acks: Acknowledgements;
  readonly laneAcks: Acknowledgements;
}

/** Never rejects; takes at most about a second. */
export async function releaseAll(parts: ReleaseParts, clock: Clock): Promise<void> {
  const done = new AbortController();
  const work = Promise.all([
    release(parts.main, parts.acks, parts.inbox),
    release(parts.lane, parts.laneAcks, parts.inbox),
  ]);
  await Promise.race([work, sleep(clock, RELEASE_TIMEOUT_MS, done.signal)]);
  done.abort();
  await Promise.all([parts.main.close(), parts.lane.close()]).catch(() => {});
}

async function release(group: StreamGroup, acks: Acknowledgements, inbox: Inbox): Promise<void> {
  try {
    await acks.flush();
    await acks.close();
    const entries = (inbox.owned().get(group) ?? []).map((delivery) => ({
      id: delivery.id,
      count: delivery.finishedAttempts,
    }));
    if (entries.length > 0) await group.release(entries);
    await releaseUnknown(group, new Set(entries.map((entry) => entry.id)));
    await group.retire();
    if (entries.length > 0) {
      log.info("subscription.entries_released", {
        stream: group.stream,
        group: group.group,
        released: entries.length,
      });
    }
  } catch (error) {
    log.warn("subscription.release_failed", {
      stream: group.stream,
      group: group.group,
      error: asError(error).message,
    });
  }
}

/** Entries that were delivered to us by a read that was cut: never started, so their count goes back. */
async function releaseUnknown(group: StreamGroup, known: ReadonlySet<string>): Promise<void> {
  const rest = await group.pending({ consumer: group.consumer, limit: 1000 });
  const unknown = rest.filter((entry) => !known.has(entry.id));
  if (unknown.length > 0) {
    await group.release(unknown.map(({ id, count }) => ({ id, count: Math.max(0, count - 1) })));
  }
}
