/**
 * `--once`: works off everything available, then ends.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import type { EngineService } from "../async/service.ts";
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
 * True when the outboxes hold nothing to publish, every group has read everything and nothing is unfinished,
 * seen twice in a row (a handler that finished between the two looks may have committed new messages); false
 * when `signal` aborts before.
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
  // First what costs nothing: while there is work the backends have better things to do.
  if (services.some((service) => (service.status?.().unfinished ?? 0) > 0)) return false;
  try {
    return (await collectStatus(runtime)).every(isWorkedOff);
  } catch {
    // A backend that does not answer has not been worked off.
    return false;
  }
}

/**
 * Rows of the outbox that wait for another attempt are work, those given up are not, nor is what waits where a
 * key stands still.
 */
function isWorkedOff({ lag, pending, returning, held_back: heldBack = 0 }: StatusRow): boolean {
  return lag !== null && pending !== null && lag + pending === heldBack && returning === 0;
}
