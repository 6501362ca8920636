/**
 * The claim pass: finds pending entries that nobody works on and takes them over (PIPE-1, delivery 2).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { PendingEntry, StreamGroup } from "../adapters/ports.ts";
import type { Delivery, SubscriptionCounters } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";

const log = getLogger(["protean", "subscription"]);
const PAGE = 100;

export interface RecoveryParts {
  readonly inbox: Inbox;
  readonly counters: SubscriptionCounters;
  readonly claimIdleMs: number;
  /** Stop claiming at this many unfinished deliveries; the next pass goes on. */
  readonly limit: number;
  /** Decodes a claimed delivery and makes younger messages of its stream wait. */
  readonly admit: (delivery: Delivery) => void;
}

export class Recovery {
  constructor(private readonly parts: RecoveryParts) {}

  /** One pass over the pending list of all consumers. Rejects when the broker does not answer. */
  pass(group: StreamGroup): Promise<void> {
    const { claimIdleMs, admit } = this.parts;
    return this.#scan(group, { minIdleMs: claimIdleMs }, claimIdleMs, admit);
  }

  /** Takes what is pending on our own consumer and unknown to us. Only between reads: a reply in flight is not lost yet. */
  own(group: StreamGroup): Promise<void> {
    return this.#scan(group, { consumer: group.consumer }, 0, (delivery) => {
      // Delivered once, and we did not hear of it: what was counted then is the start that is still to come.
      delivery.counted = delivery.count === 1;
      this.parts.admit(delivery);
    });
  }

  async #scan(
    group: StreamGroup,
    filter: { minIdleMs?: number; consumer?: string },
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
  ): Promise<void> {
    const { inbox, limit } = this.parts;
    let after: string | undefined;
    while (inbox.unfinished < limit) {
      const found = await group.pending({
        ...filter,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      await this.#claim(group, found, minIdleMs, admit);
      const last = found.at(-1);
      if (!last || found.length < PAGE) return;
      after = last.id;
    }
  }

  async #claim(
    group: StreamGroup,
    found: readonly PendingEntry[],
    minIdleMs: number,
    admit: (delivery: Delivery) => void,
  ): Promise<void> {
    const { inbox, counters } = this.parts;
    const known = found.some((entry) => entry.consumer === group.consumer) ? inbox.openIds(group) : undefined;
    const suspects = found.filter((entry) => entry.consumer !== group.consumer || !known?.has(entry.id));
    if (suspects.length === 0) return;
    const claimed = await group.claim(
      suspects.map(({ id, consumer }) => ({ id, from: consumer })),
      minIdleMs,
    );
    const trimmed = claimed.filter((entry) => entry.trimmed).length;
    const taken = claimed.filter((entry) => !entry.trimmed);
    counters.trimmed += trimmed;
    counters.recovered += taken.length;
    if (taken.length > 0) inbox.addClaimed(group, taken, admit);
    if (claimed.length > 0) {
      log.info("subscription.entries_claimed", {
        stream: group.stream,
        group: group.group,
        claimed: taken.length,
        trimmed,
      });
    }
  }
}
