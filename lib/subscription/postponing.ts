/**
 * What `RetryAfter` does: the message waits for as long as its handler wants, which is no attempt. How often
 * it has, and until when, is kept at the broker, so that no restart begins the count or the wait anew.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { asError, GroupMissingError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

/** So often one message may wait; afterwards it is an attempt like any other. */
const MOST_TIMES = 100;

/** Returns whether the message may be postponed once more. */
export function mayPostpone({ attempts }: Delivery): boolean {
  return attempts.postponed < MOST_TIMES;
}

/** Makes the message wait. False: somebody else has it by now. Never rejects. */
export async function postpone(scope: SubscriptionScope, delivery: Delivery, ms: number): Promise<boolean> {
  const { inbox, clock, name } = scope;
  const { id, attempts, batch: { lane: { source } } } = delivery;
  delivery.notBefore = clock.monotonic() + ms;
  let isKept = false;
  try {
    inbox.closing(delivery);
    const postponed = { times: attempts.postponed + 1, ms };
    const kept = await source.postpone?.(id, postponed, Math.max(0, attempts.count - 1));
    if (kept === false) return false;
    isKept = kept ?? false;
  } catch (error) {
    if (error instanceof GroupMissingError) return false;
    // This process knows: only its end would make the message forget how long it has waited.
    log.debug("subscription.wait_not_kept", { subscription: name, entry: id, error: asError(error).message });
  }
  attempts.postpone(isKept);
  inbox.backOff(delivery, Math.max(0, delivery.notBefore - clock.monotonic()));
  return true;
}

/** Instead of a number of waits: the hook of a message that had all of its deliveries was begun. */
const HOOK_BEGUN = 1_000_000;

/** Whether `beginHook` was asked before, by whatever process. */
export function hookBegun({ attempts }: Delivery): boolean {
  return attempts.postponed >= HOOK_BEGUN;
}

/**
 * Keeps that the hook of a message is called which may be what kills its processes. False: somebody else has
 * it by now. Rejects when the broker does not answer.
 */
export async function beginHook({ id, attempts, batch }: Delivery): Promise<boolean> {
  const kept = await batch.lane.source.postpone?.(id, { times: HOOK_BEGUN, ms: 0 }, attempts.count);
  attempts.postponed = HOOK_BEGUN;
  return kept !== false;
}

/** What was kept of a message that is over. Never rejects: what is left goes by itself within days. */
export async function forgetPostponed({ name }: SubscriptionScope, delivery: Delivery): Promise<void> {
  if (delivery.attempts.postponed === 0) return;
  const { id, batch: { lane: { source } } } = delivery;
  try {
    await source.forgetPostponed?.(id);
  } catch (error) {
    log.debug("subscription.wait_not_forgotten", {
      subscription: name,
      entry: id,
      error: asError(error).message,
    });
  }
}
