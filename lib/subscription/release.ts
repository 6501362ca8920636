/**
 * The end of a subscription: everything earned is acknowledged, everything unfinished is handed back (delivery 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { StreamGroup } from "../adapters/ports.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError } from "../errors.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Inbox } from "./inbox.ts";

const log = getLogger(["protean", "subscription"]);

/** A broker that does not answer may not hold up the exit: its entries are claimed when they have idled long enough. */
const RELEASE_TIMEOUT_MS = 1000;
const PAGE = 1000;

export interface ReleaseParts {
  readonly main: StreamGroup;
  readonly lane: StreamGroup;
  readonly inbox: Inbox;
  readonly acks: Acknowledgements;
  readonly laneAcks: Acknowledgements;
}

/** Never rejects; takes at most about a second. */
export async function releaseAll(parts: ReleaseParts, clock: Clock): Promise<void> {
  const over = new AbortController();
  const timeout = sleep(clock, RELEASE_TIMEOUT_MS, over.signal);
  await Promise.race([
    Promise.all([
      release(parts.main, parts.acks, parts.inbox),
      release(parts.lane, parts.laneAcks, parts.inbox),
    ]),
    timeout,
  ]);
  // Even when that took too long: closing is what cuts it.
  await Promise.race([Promise.allSettled([parts.main.close(), parts.lane.close()]), timeout]);
  over.abort();
}

async function release(group: StreamGroup, acks: Acknowledgements, inbox: Inbox): Promise<void> {
  try {
    await acks.close();
    await acks.flush();
    const entries = (inbox.owned().get(group) ?? []).map((delivery) => ({
      id: delivery.id,
      count: delivery.finishedAttempts,
    }));
    if (entries.length > 0) await group.release(entries);
    await releaseUnknown(group, inbox.openIds(group));
    // What the broker has not taken at first: it is handled, and the others' turn only if this fails again.
    await acks.flush();
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
  let after: string | undefined;
  while (true) {
    const page = await group.pending({
      consumer: group.consumer,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    const unknown = page.filter((entry) => !known.has(entry.id));
    if (unknown.length > 0) {
      await group.release(unknown.map(({ id, count }) => ({ id, count: Math.max(0, count - 1) })));
    }
    after = page.at(-1)?.id;
    if (after === undefined || page.length < PAGE) return;
  }
}
