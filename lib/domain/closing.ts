/**
 * Closes adapters one after the other, and waits for none that hangs: whoever closes a domain is about to end.
 *
 * @module
 */
import type { BaseAdapter } from "../adapters/ports.ts";
import { deadline } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";
import { asError } from "../errors.ts";

/** The next one is not kept waiting longer. */
const EACH_MS = 400;
/** From the beginning: the drain gives the whole of it 2 s (design 7). */
const ALL_MS = 1_800;

/**
 * Calls `close()` of each, in order. One that takes long goes on beside the next ones; one that has not ended
 * after 1.8 s is given up. Returns what failed, by adapter, in their order; never rejects.
 */
export async function closeInOrder(
  adapters: Iterable<BaseAdapter>,
  clock: Clock,
): Promise<ReadonlyMap<BaseAdapter, Error>> {
  const end = clock.monotonic() + ALL_MS;
  const closing = new Map<BaseAdapter, Promise<Error | undefined>>();
  for (const adapter of adapters) {
    const closed = closeOne(adapter);
    closing.set(adapter, closed);
    await within(closed, Math.min(EACH_MS, end - clock.monotonic()), clock);
  }
  const failures = new Map<BaseAdapter, Error>();
  for (const [adapter, closed] of closing) {
    const cause = await within(closed, end - clock.monotonic(), clock);
    if (cause) failures.set(adapter, cause);
  }
  return failures;
}

/** As `closed`, or the error of one that is late. */
async function within(
  closed: Promise<Error | undefined>,
  ms: number,
  clock: Clock,
): Promise<Error | undefined> {
  try {
    return await deadline(() => closed, Math.max(0, ms), clock);
  } catch {
    return new Error(`close() has not ended after ${ALL_MS / 1000} s.`);
  }
}

async function closeOne(adapter: BaseAdapter): Promise<Error | undefined> {
  try {
    await adapter.close();
    return undefined;
  } catch (error) {
    return asError(error);
  }
}
