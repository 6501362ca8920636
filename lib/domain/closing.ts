/**
 * Closing adapters: each kind in its turn, whatever the ones before it do (S73).
 *
 * @module
 */
import type { BaseAdapter } from "../adapters/ports.ts";
import { deadline, TimeoutError } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError, ProteanError } from "../errors.ts";
import type { Adapters } from "./runtime.ts";

/** For so long the next kind waits: all four have had their turn within the 2 s that the drain has for it. */
const TURN_MS = 450;
/** An adapter that has not closed so long after the first was told to is left to itself. */
const LONGEST_MS = 1900;

/**
 * Closes event store, brokers, caches and providers in that order, those of one kind at once, all of them;
 * returns what failed (S73). Where one takes its time the next kind's turn comes all the same, and the call
 * waits for it at the end; one that has not closed after 1.9 s in all counts as failed.
 */
export async function closeAdapters(
  { eventStore, brokers, caches, providers }: Adapters,
  clock: Clock,
): Promise<readonly Error[]> {
  const steps: readonly [string, Iterable<BaseAdapter>][] = [
    ["event store", eventStore ? [eventStore] : []],
    ["broker", brokers.values()],
    ["cache", caches.values()],
    ["database", providers.values()],
  ];
  const closing: Promise<Error | undefined>[] = [];
  const end = clock.monotonic() + LONGEST_MS;
  for (const [kind, adapters] of steps) {
    const closed = Promise.all([...adapters].map((adapter) => {
      const one = closeOne(adapter, clock, end - clock.monotonic()).then((cause) =>
        cause && failure(kind, adapter.name, cause)
      );
      closing.push(one);
      return one;
    }));
    await within(TURN_MS, closed, clock);
  }
  return (await Promise.all(closing)).filter((error) => error !== undefined);
}

/** Closes one adapter, within `ms`; returns why that failed. Never rejects. */
export async function closeOne(
  adapter: BaseAdapter,
  clock: Clock,
  ms = LONGEST_MS,
): Promise<Error | undefined> {
  try {
    // One of somebody's own may throw before it has made a promise, or make none.
    await deadline(async () => await adapter.close(), Math.max(0, ms), clock);
    return undefined;
  } catch (error) {
    if (error instanceof TimeoutError) {
      return new Error(`close() has not ended within ${LONGEST_MS / 1000} s`);
    }
    return asError(error);
  }
}

function failure(kind: string, name: string, cause: Error): ProteanError {
  const message = `The ${kind} '${name}' did not close cleanly: ${cause.message}`;
  return new ProteanError(message, { code: "CLOSE_FAILED", cause });
}

/** Resolves when `work` has, or after `ms`. */
async function within(ms: number, work: Promise<unknown>, clock: Clock): Promise<void> {
  const done = new AbortController();
  const late = sleep(clock, ms, done.signal);
  await Promise.race([work, late]);
  done.abort();
  await late;
}
