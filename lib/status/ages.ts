/**
 * How long entries have waited for a group, in seconds on the broker's clock.
 *
 * @module
 */
import type { BaseBroker, GroupAges } from "../adapters/ports.ts";

/** Ids may be anybody's: one that is this far ahead of the broker's clock is no time. */
const AHEAD_MS = 60_000;

/** Null is unknown; 0 where nothing waits. */
export interface AgesInSeconds {
  /** Of the first entry not yet delivered. */
  readonly undelivered: number | null;
  /** Of the first one delivered and not acknowledged. */
  readonly pending: number | null;
}

export const UNKNOWN_AGES: AgesInSeconds = { undelivered: null, pending: null };

/** Rejects as the broker does. */
export async function agesInSeconds(
  broker: Pick<BaseBroker, "groupAges" | "time">,
  stream: string,
  group: string,
): Promise<AgesInSeconds> {
  // The clock is read behind the entries: none of them is younger than it.
  const ages = await broker.groupAges(stream, group);
  return ages ? seconds(ages, await broker.time()) : UNKNOWN_AGES;
}

function seconds({ undeliveredSince, pendingSince }: GroupAges, now: number): AgesInSeconds {
  const age = (since: number | undefined) => {
    if (since === undefined) return 0;
    return since > now + AHEAD_MS ? null : Math.max(0, now - since) / 1000;
  };
  return { undelivered: age(undeliveredSince), pending: age(pendingSince) };
}
