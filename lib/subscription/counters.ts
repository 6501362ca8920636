/**
 * What a subscription has done since it started; read by health rows, `--once`, the demo and (later) the instruments.
 *
 * @module
 */

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
