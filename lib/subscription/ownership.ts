/**
 * Keeps up the ownership of everything read and not finished, so that nobody else claims it (delivery 1,
 * PIPE-4), and knows when it may have lapsed: others claim what a process leaves that is not seen, and one
 * that stood still (a stopped process, a machine that swaps) must ask before it starts anything (D19).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { betweenMs, type Moment, momentOf } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { asError } from "../errors.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

/** So often it is looked whether time went on without us. */
const TICK_MS = 1_000;
/**
 * Whoever stood still for so long asks first; others take a process for gone after three seconds and a half
 * (delivery 22), and it may have shown itself a second before.
 */
const STANDSTILL_MS = 2_000;

/** Deliveries asked about at once. */
const STEP = 500;

export class Ownership {
  readonly #scope: SubscriptionScope;
  /** When this process was last seen to move. */
  #moved: Moment;
  #lapsed = false;
  #asking: Promise<void> | undefined;

  constructor(scope: SubscriptionScope) {
    this.#scope = scope;
    this.#moved = momentOf(scope.clock);
  }

  /** Refreshes three times within the claim threshold, until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#scope;
    this.#moved = momentOf(clock);
    await Promise.all([
      every(
        clock,
        settings.claimIdleMs / 3,
        signal,
        () => this.#refresh().catch((error) => this.#deferred(error)),
      ),
      every(clock, TICK_MS, signal, () => {
        // Handlers that run have to know as well: until then they would commit what is another's by now.
        this.assured()?.catch((error) => this.#deferred(error));
        return Promise.resolve();
      }),
    ]);
  }

  /**
   * What a start has to wait for: undefined as a rule; after a standstill it resolves once everything owned
   * has been asked about, and what was lost is marked so. Rejects when the broker does not answer: then
   * nothing may be started.
   */
  assured(): Promise<void> | undefined {
    this.#look();
    if (!this.#lapsed) return undefined;
    return this.#asking ??= this.#ask();
  }

  #look(): void {
    const now = momentOf(this.#scope.clock);
    const stood = betweenMs(this.#moved, now);
    this.#moved = now;
    if (stood < STANDSTILL_MS || this.#lapsed) return;
    this.#lapsed = true;
    log.warn("subscription.stood_still", { subscription: this.#scope.name, duration_ms: Math.round(stood) });
  }

  async #ask(): Promise<void> {
    try {
      await this.#refresh();
      this.#lapsed = false;
    } finally {
      this.#asking = undefined;
    }
  }

  /** Asks about every lane, then rejects with the first failure. */
  async #refresh(): Promise<void> {
    const { inbox, figures } = this.#scope;
    const asked = await Promise.allSettled([...inbox.owned()].map(async ([lane, deliveries]) => {
      // A hundred thousand may wait behind one key: nobody should wait for one answer about all of them.
      for (let at = 0; at < deliveries.length; at += STEP) {
        const lost = await lane.source.refresh(deliveries.slice(at, at + STEP).map(({ id }) => id));
        if (lost.length > 0) figures.happened("lost", inbox.lose(lane, new Set(lost)));
      }
    }));
    for (const result of asked) if (result.status === "rejected") throw result.reason;
  }

  #deferred(error: unknown): void {
    log.debug("subscription.refresh_deferred", {
      subscription: this.#scope.name,
      error: asError(error).message,
    });
  }
}
