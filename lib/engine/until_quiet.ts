/**
 * `--once`: works off everything available, then ends.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import type { EngineService, ServiceStatus } from "../async/service.ts";
import { brokerOf } from "../domain/places.ts";
import { partitionStream } from "../message/partitions.ts";
import { isSubscriptionStatus, type SubscriptionStatus } from "../subscription/status.ts";
import { collectStatus, type StatusRuntime } from "../status/collect.ts";
import type { StatusRow } from "../status/row.ts";

const LOOK_EVERY_MS = 20;

export interface QuietOptions {
  readonly services: readonly EngineService[];
  readonly runtime: StatusRuntime & { readonly clock: Clock };
  readonly signal: AbortSignal;
  /** Called at every look. */
  readonly look: () => void;
}

/**
 * True when the outboxes hold nothing to publish, every group has read everything and nothing is unfinished
 * but what handlers want much later (`RetryAfter`), seen twice in a row (a handler that finished between
 * the two looks may have committed new messages); false when `signal` aborts before.
 */
export async function untilQuiet({ services, runtime, signal, look }: QuietOptions): Promise<boolean> {
  let quiet = 0;
  while (!signal.aborted) {
    quiet = await isQuiet(services, runtime) ? quiet + 1 : 0;
    look();
    if (quiet === 2) return true;
    await sleep(runtime.clock, LOOK_EVERY_MS, signal);
  }
  return false;
}

async function isQuiet(services: readonly EngineService[], runtime: StatusRuntime): Promise<boolean> {
  const all = services.flatMap((service) => service.status?.() ?? []);
  // First what costs nothing: while there is work the backends have better things to do.
  if (all.some((status) => status.unfinished > postponedOf(status))) return false;
  const subscriptions = all.filter(isSubscriptionStatus);
  try {
    const left = await leftLater(runtime, subscriptions);
    return (await collectStatus(runtime, { everyKey: true })).every((row) => isWorkedOff(row, left));
  } catch {
    // A backend that does not answer has not been worked off.
    return false;
  }
}

function postponedOf(status: ServiceStatus): number {
  return isSubscriptionStatus(status) ? status.postponed : 0;
}

/** How much of each subscription waits because a handler wants it much later. */
async function leftLater(
  runtime: StatusRuntime,
  subscriptions: readonly SubscriptionStatus[],
): Promise<ReadonlyMap<string, number>> {
  const left = new Map<string, number>();
  for (const { handler, category, postponed, postponedPartitions } of subscriptions) {
    const runner = runtime.runners.find(({ name }) => name === handler);
    if (postponed === 0 || !runner) continue;
    const keys = postponedPartitions.map((stream) => stream.slice(partitionStream(category, "").length));
    const behind = keys.length === 0
      ? undefined
      : await brokerOf(runtime, runner).partitions?.info(category, runner.group, keys.length, keys);
    left.set(named(handler, category), postponed + (behind?.lag ?? 0));
  }
  return left;
}

function named(handler: string, category: string): string {
  return JSON.stringify([handler, category]);
}

/**
 * Rows of the outbox that wait for another attempt are work, those given up are not, nor is what waits
 * where a key stands still or where a handler wants it much later.
 */
function isWorkedOff(
  { lag, pending, returning, held_back: heldBack = 0, handler_name, stream_category }: StatusRow,
  left: ReadonlyMap<string, number>,
): boolean {
  const waiting = heldBack + (left.get(named(handler_name, stream_category)) ?? 0);
  return lag !== null && pending !== null && lag + pending === waiting && returning === 0;
}
