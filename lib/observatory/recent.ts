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
/** Where a read takes longer than that nobody waits to its end: who asks again by then is given what it found. */
const MOST_FRESH_OF_SLOW_MS = 20_000;

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export class Recent<T> {
  readonly #read: () => Promise<T>;
  readonly #isWhole: (value: T) => boolean;
  readonly #clock: Clock;
  #last: { readonly outcome: Outcome<T>; readonly freshUntil: number } | undefined;
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
    await deadline(() => reading, PATIENCE_MS, this.#clock);
    if (!this.#last) throw new TimeoutError(PATIENCE_MS);
    return valueOf(this.#last.outcome);
  }

  async #begin(): Promise<void> {
    const began = this.#clock.monotonic();
    const outcome: Outcome<T> = await this.#read().then((value) => ({ value }), (error) => ({ error }));
    const at = this.#clock.monotonic();
    const took = at - began;
    const isWhole = "value" in outcome && this.#isWhole(outcome.value);
    const most = !isWhole ? MOST_FAILED_MS : took > PATIENCE_MS ? MOST_FRESH_OF_SLOW_MS : MOST_FRESH_MS;
    this.#last = { outcome, freshUntil: at + Math.min(most, Math.max(FRESH_MS, SPARED * took)) };
  }
}

function valueOf<T>(outcome: Outcome<T>): T {
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}
