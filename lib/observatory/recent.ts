/**
 * Figures that many ask for and that are read once: what was read a moment ago is given again, and no
 * second read begins while one is under way. So that however often somebody looks, the backends hardly
 * notice.
 *
 * @module
 */
import { deadline, TimeoutError } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";

/** What was read is good for so long at least, in ms. */
const FRESH_MS = 1_000;
/** Reading takes no more than one part in so many of the time. */
const SPARED = 10;
const MOST_FRESH_MS = 10_000;
/** After a failure it is tried again soon: what was away may be there. */
const MOST_FAILED_MS = 3_000;
/** So long somebody waits; less than their connection lasts. */
export const PATIENCE_MS = 3_500;
/** Where a read takes longer than that, what the one before found will do for so long. */
const STALE_MS = 60_000;

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export class Recent<T> {
  readonly #read: () => Promise<T>;
  readonly #isWhole: (value: T) => boolean;
  readonly #clock: Clock;
  #last: { readonly outcome: Outcome<T>; readonly at: number; readonly freshUntil: number } | undefined;
  #reading: Promise<void> | undefined;

  /** `isWhole`: false where a part could not be had, so that it is asked for again soon. */
  constructor(read: () => Promise<T>, clock: Clock, isWhole: (value: T) => boolean = () => true) {
    this.#read = read;
    this.#clock = clock;
    this.#isWhole = isWhole;
  }

  /** Rejects as the read does, and with a `TimeoutError` where that takes longer than 3.5 s. */
  async get(): Promise<T> {
    const fresh = this.#last;
    if (fresh && this.#clock.monotonic() < fresh.freshUntil) return valueOf(fresh.outcome);
    const reading = this.#reading ??= this.#begin().finally(() => this.#reading = undefined);
    try {
      await deadline(() => reading, PATIENCE_MS, this.#clock);
    } catch (error) {
      const before = this.#last;
      const isUsable = before && "value" in before.outcome && this.#clock.monotonic() < before.at + STALE_MS;
      if (!(error instanceof TimeoutError) || !isUsable) throw error;
    }
    if (!this.#last) throw new TimeoutError(PATIENCE_MS);
    return valueOf(this.#last.outcome);
  }

  async #begin(): Promise<void> {
    const began = this.#clock.monotonic();
    const outcome: Outcome<T> = await this.#read().then((value) => ({ value }), (error) => ({ error }));
    const at = this.#clock.monotonic();
    const most = "value" in outcome && this.#isWhole(outcome.value) ? MOST_FRESH_MS : MOST_FAILED_MS;
    this.#last = { outcome, at, freshUntil: at + Math.min(most, Math.max(FRESH_MS, SPARED * (at - began))) };
  }
}

function valueOf<T>(outcome: Outcome<T>): T {
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}
