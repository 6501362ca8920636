/**
 * What the parts of one subscription share, from its start to its end.
 *
 * @module
 */
import type { Random } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import type { Inbox } from "./inbox.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";

export interface SubscriptionScope {
  /** As logs name the subscription. */
  readonly name: string;
  readonly runner: HandlerRunner;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly settings: SubscriptionSettings;
  readonly inbox: Inbox;
  readonly counters: SubscriptionCounters;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when nothing may be started any more (DRN-2). */
  readonly stopped: AbortSignal;
  /**
   * Resolves when a message that this process is publishing may be handled here; undefined: at once. Never
   * rejects.
   */
  readonly published: (messageId: string) => Promise<void> | undefined;
}

/** What a subscription has done since it started. */
export interface SubscriptionCounters {
  /** Handler runs that committed. */
  handled: number;
  /** Skipped because a mark said that the effect exists. */
  duplicates: number;
  /** Acknowledged without running: types this handler does not handle. */
  ignored: number;
  /** Acknowledged without running: types of other domains. */
  foreign: number;
  /** Acknowledged without running: commands past their deadline. */
  expired: number;
  /** Handler runs that failed. */
  failed: number;
  /** Retries that were started. */
  retried: number;
  /** Moved to the dead-letter stream. */
  deadLettered: number;
  /** Given up without a dead-letter stream (`enable_dlq = false`). */
  discarded: number;
  /** Taken over from another consumer, or found again after a lost reply. */
  recovered: number;
  /** Claimed by somebody else while we had them. */
  lost: number;
  /** Pending entries whose message had been trimmed (PIPE-7). */
  trimmed: number;
  /** Times the group had to be created again (PIPE-6). */
  groupsRecreated: number;
  /** Handlers cut by the drain. */
  cut: number;
}

export function newCounters(): SubscriptionCounters {
  return {
    handled: 0,
    duplicates: 0,
    ignored: 0,
    foreign: 0,
    expired: 0,
    failed: 0,
    retried: 0,
    deadLettered: 0,
    discarded: 0,
    recovered: 0,
    lost: 0,
    trimmed: 0,
    groupsRecreated: 0,
    cut: 0,
  };
}
