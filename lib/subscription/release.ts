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

/** Never rejects; takes at most about a second more than what the broker needs, and ten in all. */
export async function releaseAll(
  { inbox, clock }: SubscriptionScope,
  lanes: readonly Lane<Delivery>[],
): Promise<void> {
  const over = new AbortController();
  const end = clock.monotonic() + RELEASE_MOST_MS;
  let last = clock.monotonic();
  const gotOn = () => last = clock.monotonic();
  const standstill = (async () => {
    for (let at = last; !over.signal.aborted && at < end; at = last) {
      await sleep(clock, Math.min(end, at + RELEASE_TIMEOUT_MS) - clock.monotonic(), over.signal);
      if (last === at) return;
    }
  })();
  await Promise.race([Promise.all(lanes.map((lane) => release(lane, inbox, gotOn))), standstill]);
  // Also when that took too long: closing is what cuts it.
  await Promise.race([Promise.allSettled(lanes.map(({ source }) => source.close())), standstill]);
  over.abort();
}

async function release(lane: Lane<Delivery>, inbox: Inbox, gotOn: () => void): Promise<void> {
  const { source, acks } = lane;
  const facts = { stream: source.name, group: source.group };
  try {
    await acks.close();
    await acks.flush();
    const unfinished = (inbox.owned().get(lane) ?? []).map(({ id, attempts, stage }) => ({
      id,
      count: attempts.finished(stage === "running"),
    }));
    for (let at = 0; at < unfinished.length; at += STEP) {
      await source.release(unfinished.slice(at, at + STEP));
      gotOn();
    }
    await source.releaseUnknown(inbox.openIds(lane));
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
