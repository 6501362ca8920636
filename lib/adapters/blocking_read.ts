/**
 * Waiting for entries by wake-ups, for brokers whose backend cannot block a connection.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import { together } from "../async/every.ts";
import { Wakeup } from "../async/wakeup.ts";

/** Who waits for so long may as well end it with others. */
const LONG_MS = 1_000;

export interface BlockingReadOptions {
  readonly clock: Clock;
  /** Longest wait in milliseconds; 0 or less does not wait. */
  readonly blockMs: number;
  /** Any of them cuts the wait; nothing is taken after one aborted. */
  readonly signals: readonly AbortSignal[];
}

/**
 * Returns what `take` takes, waiting until that is something, the time is up or a signal aborts. `watch`
 * calls its listener whenever there may be something new, and returns the way to stop that. Rejects with what
 * `take` rejects with.
 */
export async function takeWhenThere<T>(
  take: () => Promise<readonly T[]>,
  watch: (changed: () => void) => () => void,
  options: BlockingReadOptions,
): Promise<readonly T[]> {
  const { clock, blockMs, signals } = options;
  const aborted = () => signals.some((signal) => signal.aborted);
  if (aborted()) return [];
  const first = await take();
  if (first.length > 0 || blockMs <= 0) return first;
  const deadline = clock.monotonic() + (blockMs >= LONG_MS ? together(clock, blockMs) : blockMs);
  const wakeup = new Wakeup();
  // Something may have come between the first try and watching.
  let changed = true;
  const wake = () => {
    changed = true;
    wakeup.notify();
  };
  const unwatch = watch(wake);
  for (const signal of signals) signal.addEventListener("abort", wake);
  try {
    while (!aborted()) {
      const left = deadline - clock.monotonic();
      if (!changed && left > 0) {
        await wakeup.wait({ clock, ms: left });
        continue;
      }
      // Cleared before taking: what changes while `take` runs must not be slept through.
      changed = false;
      const taken = await take();
      if (taken.length > 0 || left <= 0) return taken;
    }
    return [];
  } finally {
    unwatch();
    for (const signal of signals) signal.removeEventListener("abort", wake);
  }
}
