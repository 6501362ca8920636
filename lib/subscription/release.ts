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

/**
 * Never rejects; takes at most about a second. What the broker has not confirmed by then is counted and told
 * once: it is delivered again (D20).
 */
export async function releaseAll(
  { name, inbox, clock, figures }: SubscriptionScope,
  lanes: readonly Lane<Delivery>[],
): Promise<void> {
  const over = new AbortController();
  const timeout = sleep(clock, RELEASE_TIMEOUT_MS, over.signal);
  const released = new Set<Lane<Delivery>>();
  const works = lanes.map((lane) => release(lane, inbox).then((done) => done && released.add(lane)));
  await Promise.race([Promise.all(works), timeout]);
  const left = {
    unacknowledged: sum(lanes, (lane) => inbox.unconfirmed(lane)),
    unreleased: sum(lanes, (lane) => released.has(lane) ? 0 : waiting(inbox, lane).length),
  };
  // Also when that took too long: closing is what cuts it.
  await Promise.race([Promise.allSettled(lanes.map(({ source }) => source.close())), timeout]);
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

/** Returns whether the broker has taken back what is unfinished. Never rejects. */
async function release(lane: Lane<Delivery>, inbox: Inbox): Promise<boolean> {
  const { source, acks } = lane;
  const facts = { stream: source.name, group: source.group };
  const unfinished = () => inbox.owned().get(lane) ?? [];
  let handedBack = false;
  try {
    await acks.close();
    await acks.flush();
    const entries = unfinished().map(({ id, attempts, stage }) => ({
      id,
      count: attempts.finished(stage === "running"),
    }));
    await source.release(entries, inbox.openIds(lane));
    handedBack = true;
    // What the broker did not take at first: it is handled, and becomes the others' only if this fails again.
    await acks.flush();
    await source.retire();
    if (entries.length > 0) {
      log.info("subscription.entries_released", { ...facts, released: entries.length });
    }
  } catch (error) {
    log.warn("subscription.release_failed", {
      ...facts,
      unacknowledged: inbox.unconfirmed(lane),
      unreleased: handedBack ? 0 : unfinished().length,
      error: asError(error).message,
    });
  }
  return handedBack;
}
