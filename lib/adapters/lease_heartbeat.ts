/**
 * Whether the holder of an outbox lease may still believe that it is the holder. A store takes a lease away
 * from who has not been heard of for long (`LEASE_MS` of SQLite; a session that PostgreSQL or an operator
 * ended): a process that stood still, frozen or stopped, must not go on to publish rows that may be another's
 * by now.
 *
 * @module
 */
import { type Clock, elapsedMs, type Moment, momentOf, sleep } from "../async/clock.ts";
import { ProviderUnavailableError } from "../errors.ts";

/**
 * A lease that nothing else is done with beats this often: well within the time after which any store gives
 * it away.
 */
const BEAT_MS = 5_000;
/** Whoever was not heard of for so long does not begin to publish. */
const SILENCE_MS = 20_000;

export class LeaseHeartbeat {
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #beating: Promise<void>;
  #renewedAt: Moment;

  /**
   * `beat` tells the store that the holder lives, and calls `renewed`. One that does not get through is no
   * reason to stop. `elapsed`: how the store counts the time since a moment.
   */
  constructor(clock: Clock, beat: () => Promise<void>, private readonly elapsed = elapsedMs) {
    this.#clock = clock;
    this.#renewedAt = this.moment();
    this.#beating = this.#beat(beat);
  }

  moment(): Moment {
    return momentOf(this.#clock);
  }

  /** The store has heard of the holder at that moment. */
  renewed(at: Moment = this.moment()): void {
    if (at.monotonic >= this.#renewedAt.monotonic) this.#renewedAt = at;
  }

  /** Throws `ProviderUnavailableError` when the lease may have been given away meanwhile. */
  assertHeld(): void {
    const silent = this.elapsed(this.#clock, this.#renewedAt);
    if (silent <= SILENCE_MS) return;
    throw new ProviderUnavailableError(
      `This process stood still for ${Math.round(silent / 1000)} s with rows of the outbox claimed: ` +
        "they are left to whoever holds their shards now.",
    );
  }

  /** Beats no more; resolves when none is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#beating;
  }

  async #beat(beat: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (true) {
      const left = BEAT_MS - this.#silent();
      // After a beat that did not get through the next one comes in its time.
      await sleep(this.#clock, left > 0 ? Math.max(1, left) : BEAT_MS, signal);
      if (signal.aborted) return;
      if (this.#silent() >= BEAT_MS) await beat().catch(() => {});
    }
  }

  #silent(): number {
    return this.#clock.monotonic() - this.#renewedAt.monotonic;
  }
}
