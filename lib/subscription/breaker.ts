/**
 * The circuit breaker of one subscription (wire 10.9): so many messages in a row that its handler has failed
 * on, each counted once, and nothing is taken any more; after a while one message is tried at a time, and
 * what becomes of it decides. In memory, each process its own. `Pause` is what keeps the workers and the
 * reader waiting.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import type { BreakerState } from "../domain/observer.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";

const log = getLogger(["protean", "subscription"]);

export interface BreakerParts {
  /** As logs name the subscription. */
  readonly name: string;
  readonly clock: Clock;
  readonly settings: Pick<SubscriptionSettings, "circuitBreakerThreshold" | "circuitBreakerResetSeconds">;
  /** Told of each new state, and how many failures in a row have led there. */
  readonly changed: (state: BreakerState, failures: number) => void;
}

export class Breaker {
  readonly #parts: BreakerParts;
  #state: BreakerState = "closed";
  #failures = 0;
  #since = -Infinity;
  #cancel: (() => void) | undefined;

  constructor(parts: BreakerParts) {
    this.#parts = parts;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** When it came into this state (monotonic). */
  get since(): number {
    return this.#since;
  }

  /** In a row, since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * A handler has failed by itself on one more message: not for a backend, a message that nobody can read,
   * or a `RetryAfter`, nor once more on the same message, unless that was the one to be tried.
   */
  failed(): void {
    this.#failures++;
    // What had begun before it opened is known to fail.
    if (this.#state === "open") return;
    const { settings } = this.#parts;
    if (this.#state === "half_open" || this.#failures >= settings.circuitBreakerThreshold) this.#open();
  }

  /** A handler has done its work. What had begun before it opened says nothing of what comes. */
  succeeded(): void {
    if (this.#state === "open" || this.#state === "closed" && this.#failures === 0) return;
    const failures = this.#failures;
    this.#failures = 0;
    if (this.#state === "closed") return;
    log.info("subscription.breaker_closed", { subscription: this.#parts.name });
    this.#become("closed", failures);
  }

  /** Clears the timer, for good. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #open(): void {
    const { name, clock, settings } = this.#parts;
    const seconds = settings.circuitBreakerResetSeconds;
    log.warn("subscription.breaker_opened", {
      subscription: name,
      failures_in_a_row: this.#failures,
      tried_again_in_ms: Math.round(seconds * 1000),
    });
    this.#cancel?.();
    this.#cancel = clock.after(seconds * 1000, () => this.#halfOpen());
    this.#become("open", this.#failures);
  }

  #halfOpen(): void {
    this.#cancel = undefined;
    log.info("subscription.breaker_half_open", { subscription: this.#parts.name });
    this.#become("half_open", this.#failures);
  }

  #become(state: BreakerState, failures: number): void {
    this.#state = state;
    this.#since = this.#parts.clock.monotonic();
    this.#parts.changed(state, failures);
  }
}
