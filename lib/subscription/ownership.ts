/**
 * Keeps up the ownership of everything read and not finished, so that nobody else claims it (delivery 1,
 * PIPE-4), and knows when it may have lapsed: others claim what a process leaves that is not seen, and one
 * that stood still (a stopped process, a machine that swaps) must ask before it starts anything (D19).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { betweenMs, type Moment, momentOf, sleep } from "../async/clock.ts";
import { every, together } from "../async/every.ts";
import { asError } from "../errors.ts";
import { reporting, unheard, type WorkReporter } from "../status/work_health.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

/** So often it is looked whether time went on without us. */
const TICK_MS = 1_000;
/**
 * Whoever stood still for so long asks first; others take a process for gone after three seconds and a half
 * (delivery 22), and it may have shown itself a second before.
 */
const STANDSTILL_MS = 2_000;

/** What could not be kept up is tried again so soon. */
const AGAIN_MS = 5_000;

/** Deliveries asked about at once. */
const STEP = 500;

export class Ownership {
  readonly #scope: SubscriptionScope;
  /** When this process was last seen to move. */
  #moved: Moment;
  #lapsed = false;
  #asking: Promise<void> | undefined;
  /** The last try was not answered as it should be. */
  #failing = false;

  /** `work` is told how keeping up the ownership goes. */
  constructor(scope: SubscriptionScope, private readonly work: WorkReporter = unheard) {
    this.#scope = scope;
    this.#moved = momentOf(scope.clock);
  }

  /** Refreshes three times within the claim threshold, until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#scope;
    this.#moved = momentOf(clock);
    await Promise.all([
      this.#keep(settings.claimIdleMs / 3, signal),
      every(clock, TICK_MS, signal, () => {
        // Handlers that run have to know as well: until then they would commit what is another's by now.
        this.assured()?.catch((error) => this.#deferred(error));
        return Promise.resolve();
      }),
    ]);
  }

  async #keep(ms: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { clock } = this.#scope;
      await sleep(clock, together(clock, this.#failing ? Math.min(ms, AGAIN_MS) : ms), signal);
      if (!signal.aborted) await this.#refresh().catch((error) => this.#deferred(error));
    }
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

  async #refresh(): Promise<void> {
    this.#failing = true;
    await reporting(this.work, this.#askAll(), AGAIN_MS);
    this.#failing = false;
  }

  /** Asks about every lane, then rejects with the first failure. */
  async #askAll(): Promise<void> {
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
