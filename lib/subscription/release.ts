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

/** Never rejects; takes at most about a second. */
export async function releaseAll(
  { inbox, clock }: SubscriptionScope,
  lanes: readonly Lane<Delivery>[],
): Promise<void> {
  const over = new AbortController();
  const timeout = sleep(clock, RELEASE_TIMEOUT_MS, over.signal);
  await Promise.race([Promise.all(lanes.map((lane) => release(lane, inbox))), timeout]);
  // Also when that took too long: closing is what cuts it.
  await Promise.race([Promise.allSettled(lanes.map(({ source }) => source.close())), timeout]);
  over.abort();
}

async function release(lane: Lane<Delivery>, inbox: Inbox): Promise<void> {
  const { source, acks } = lane;
  const facts = { stream: source.name, group: source.group };
  try {
    await acks.close();
    await acks.flush();
    const unfinished = (inbox.owned().get(lane) ?? []).map(({ id, attempts, stage }) => ({
      id,
      count: attempts.finished(stage === "running"),
    }));
    await source.release(unfinished, inbox.openIds(lane));
    // What the broker did not take at first: it is handled, and becomes the others' only if this fails again.
    await acks.flush();
    await source.retire();
    if (unfinished.length > 0) {
      log.info("subscription.entries_released", { ...facts, released: unfinished.length });
    }
  } catch (error) {
    log.warn("subscription.release_failed", { ...facts, error: asError(error).message });
  }
}
