/**
 * Waits until this process is the only one that does something, among all that share a backend.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, BaseProvider, Lock } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError, NotSupportedError } from "../errors.ts";
import type { WorkReporter } from "../status/work_health.ts";

const log = getLogger(["protean", "subscription"]);

/** Between two tries, times 0.75 to 1.25: an owner that dies is followed within five seconds. */
const TRY_MS = 2_000;

export interface SoleOwnerOptions {
  /** Tried in turn: what has no locks is passed over. */
  readonly places: readonly Pick<BaseProvider | BaseBroker, "lock">[];
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly work: WorkReporter;
}

/** Resolves with the lock once it is ours, or undefined when `signal` aborts before. Never rejects. */
export async function soleOwner(options: SoleOwnerOptions, signal: AbortSignal): Promise<Lock | undefined> {
  const { name, clock, random, work } = options;
  let isTold = false;
  while (!signal.aborted) {
    try {
      const lock = await anyLock(options, signal);
      work.ok();
      if (lock && signal.aborted) await lock[Symbol.asyncDispose]();
      else if (lock) return lock;
      else if (!isTold) log.info("subscription.standing_by", { lock: name });
      isTold = true;
    } catch (error) {
      if (signal.aborted) return undefined;
      work.unavailable(asError(error).message);
      log.debug("subscription.lock_deferred", { lock: name, error: asError(error).message });
    }
    await sleep(clock, TRY_MS * (0.75 + 0.5 * random()), signal);
  }
  return undefined;
}

async function anyLock({ places, name }: SoleOwnerOptions, signal: AbortSignal): Promise<Lock | undefined> {
  for (const place of places) {
    try {
      return await place.lock(name, { signal });
    } catch (error) {
      if (!(error instanceof NotSupportedError)) throw error;
    }
  }
  log.warn("subscription.without_lock", { lock: name });
  const { signal: never } = new AbortController();
  return { name, signal: never, [Symbol.asyncDispose]: () => Promise.resolve() };
}
