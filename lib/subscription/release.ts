/**
 * The end of a subscription: everything earned is acknowledged, everything unfinished is handed back
 * (delivery 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { sleep } from "../async/clock.ts";
import { asError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";
import type { Lane } from "./lane.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

/**
 * A broker that does not answer may not hold up the exit: its entries are claimed when they have idled long
 * enough.
 */
const RELEASE_TIMEOUT_MS = 1000;
/** So long it may go on in all while it gets on: a hundred thousand may have waited behind one key. */
const RELEASE_MOST_MS = 10_000;
/** Entries handed back in one step. */
const STEP = 1000;

/**
 * Never rejects; takes at most about a second more than what the broker needs, and ten in all. What the
 * broker has not confirmed by then is counted and told once: it is delivered again (D20).
 */
export async function releaseAll(
  { name, inbox, clock, figures }: SubscriptionScope,
  lanes: readonly Lane<Delivery>[],
): Promise<void> {
  const over = new AbortController();
  const end = clock.monotonic() + RELEASE_MOST_MS;
  let last = clock.monotonic();
  const handedBack = new Set<Delivery>();
  const gotOn = (some: readonly Delivery[]) => {
    for (const delivery of some) handedBack.add(delivery);
    last = clock.monotonic();
  };
  const standstill = (async () => {
    for (let at = last; !over.signal.aborted && at < end; at = last) {
      await sleep(clock, Math.min(end, at + RELEASE_TIMEOUT_MS) - clock.monotonic(), over.signal);
      if (last === at) return;
    }
  })();
  await Promise.race([Promise.all(lanes.map((lane) => release(lane, inbox, gotOn))), standstill]);
  const left = {
    unacknowledged: sum(lanes, (lane) => inbox.unconfirmed(lane)),
    unreleased: sum(lanes, (lane) => waiting(inbox, lane).filter((each) => !handedBack.has(each)).length),
  };
  // Also when that took too long: closing is what cuts it.
  await Promise.race([Promise.allSettled(lanes.map(({ source }) => source.close())), standstill]);
  over.abort();
  if (left.unacknowledged > 0) figures.happened("unacknowledged", left.unacknowledged);
  if (left.unreleased > 0) figures.happened("unreleased", left.unreleased);
  if (left.unacknowledged + left.unreleased > 0) {
    log.warn("subscription.left_pending", { subscription: name, ...left });
  }
}

/** Those that have not begun: what the drain has cut is counted as that. */
function waiting(inbox: Inbox, lane: Lane<Delivery>): readonly Delivery[] {
  return (inbox.owned().get(lane) ?? []).filter(({ stage }) => stage !== "running");
}

function sum<T>(items: readonly T[], figure: (item: T) => number): number {
  return items.reduce((total, item) => total + figure(item), 0);
}

/** Tells `gotOn` what the broker has taken back. Never rejects. */
async function release(
  lane: Lane<Delivery>,
  inbox: Inbox,
  gotOn: (some: readonly Delivery[]) => void,
): Promise<void> {
  const { source, acks } = lane;
  const facts = { stream: source.name, group: source.group };
  const unfinished = () => inbox.owned().get(lane) ?? [];
  let back = 0;
  try {
    await acks.close();
    await acks.flush();
    const all = unfinished().map((delivery) => ({
      delivery,
      entry: { id: delivery.id, count: delivery.attempts.finished(delivery.stage === "running") },
    }));
    while (back < all.length) {
      const some = all.slice(back, back + STEP);
      await source.release(some.map(({ entry }) => entry));
      back += some.length;
      gotOn(some.map(({ delivery }) => delivery));
    }
    await source.releaseUnknown(inbox.openIds(lane));
    // What the broker did not take at first: it is handled, and becomes the others' only if this fails again.
    await acks.flush();
    await source.retire();
    if (back > 0) log.info("subscription.entries_released", { ...facts, released: back });
  } catch (error) {
    log.warn("subscription.release_failed", {
      ...facts,
      unacknowledged: inbox.unconfirmed(lane),
      unreleased: unfinished().length - back,
      error: asError(error).message,
    });
  }
}
