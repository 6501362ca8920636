/**
 * Reads what an operator replays to the group (delivery 19).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { BatchSize } from "../async/batch_size.ts";
import { sleep } from "../async/clock.ts";
import { together } from "../async/every.ts";
import { asError } from "../errors.ts";
import { sizeOf } from "./entry_size.ts";
import { MOST_SIZE } from "./holdings.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { StreamLane } from "./stream_lane.ts";

const log = getLogger(["protean", "subscription"]);

/**
 * Looks at the lane at every claim interval, and reads it to its end then, until `signal` aborts. Never
 * rejects.
 */
export async function readReplays(
  { name, settings, clock, inbox, pause }: SubscriptionScope,
  lane: StreamLane,
  signal: AbortSignal,
): Promise<void> {
  const batch = new BatchSize({
    most: settings.messagesPerTick,
    mostSize: MOST_SIZE,
    cautious: lane.remote,
  });
  while (!signal.aborted) {
    while ((inbox.full || pause.holds) && !signal.aborted) await inbox.changed.wait({ signal });
    let found = 0;
    try {
      // These reads take no acknowledgements along: what failed to be sent by itself is sent again first.
      await lane.acks.flush();
      await lane.read({ count: batch.next, maxBytes: MOST_SIZE }, (replayed) => {
        batch.came(replayed.length, sizeOf(replayed));
        found = replayed.length;
        if (found > 0) inbox.addRead(lane, replayed);
      });
    } catch (error) {
      log.debug("subscription.replay_deferred", { subscription: name, error: asError(error).message });
    }
    if (found === 0) await sleep(clock, together(clock, settings.claimIntervalMs), signal);
  }
}
