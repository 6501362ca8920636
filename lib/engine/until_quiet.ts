/**
 * `--once`: works off everything available, then ends.
 *
 * @module
 */
import type { BaseProvider } from "../adapters/ports.ts";
import { type Clock, sleep } from "../async/clock.ts";
import type { StreamSubscription } from "../subscription/stream_subscription.ts";

const LOOK_EVERY_MS = 20;

/**
 * Resolves when the outboxes hold nothing to publish, every group has read everything and nothing is unfinished, seen twice in a
 * row (a handler that finished between the two looks may have committed new messages); or when `signal` aborts.
 */
export async function untilQuiet(
  subscriptions: readonly StreamSubscription[],
  providers: readonly BaseProvider[],
  { clock, signal, look }: { readonly clock: Clock; readonly signal: AbortSignal; readonly look: () => void },
): Promise<void> {
  let quiet = 0;
  while (quiet < 2 && !signal.aborted) {
    quiet = await isQuiet(subscriptions, providers) ? quiet + 1 : 0;
    look();
    if (quiet < 2) await sleep(clock, LOOK_EVERY_MS, signal);
  }
}

async function isQuiet(
  subscriptions: readonly StreamSubscription[],
  providers: readonly BaseProvider[],
): Promise<boolean> {
  if (subscriptions.some((subscription) => subscription.outstanding > 0)) return false;
  try {
    for (const provider of providers) {
      const { counts } = await provider.outbox.stats();
      if (counts.pending + counts.processing + counts.failed > 0) return false;
    }
    for (const subscription of subscriptions) {
      const info = await subscription.info();
      if (!info || info.lag === null || info.lag > 0 || info.pending > 0) return false;
      if (await subscription.replaysWaiting() > 0) return false;
    }
    return true;
  } catch {
    // A backend that does not answer has not been worked off.
    return false;
  }
}
