/**
 * Tells everybody who wants to know of an alert. One that throws, rejects or hangs keeps nobody else from
 * being told, and whoever tells it no longer than a bound (DLQ-7).
 *
 * @module
 */
import { abortable, timeLimit } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";
import { logLine } from "../message/describe_error.ts";

/** Seconds that a receiver is waited for. */
export const PATIENCE_SECONDS = 10;

/** Somebody who is told. */
export interface Receiver<A> {
  /** `callback`, `webhook`: for the log, and for what is remembered of it. No two have the same. */
  readonly name: string;
  tell(alert: A, signal: AbortSignal): unknown;
}

/** Called where somebody could not be told, with why. */
export type NotTold<A> = (receiver: string, alert: A, error: string) => void;

export class Alerter<A> {
  readonly receivers: readonly Receiver<A>[];
  readonly #clock: Clock;
  readonly #notTold: NotTold<A>;
  /** Those that have not come back from an earlier alert: they are not called again meanwhile. */
  readonly #busy = new Set<Receiver<A>>();
  #failures = 0;

  constructor(receivers: readonly Receiver<A>[], clock: Clock, notTold: NotTold<A>) {
    this.receivers = receivers;
    this.#clock = clock;
    this.#notTold = notTold;
  }

  /** Calls that threw, rejected, or did not come back in time. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Resolves once all of `to` have been told, or have had their time, with those that were told. Never rejects.
   * Defaults to everybody.
   */
  async tell(
    alert: A,
    signal: AbortSignal,
    to: readonly Receiver<A>[] = this.receivers,
  ): Promise<readonly Receiver<A>[]> {
    const told = await Promise.all(to.map((receiver) => this.#tellOne(receiver, alert, signal)));
    return to.filter((_, at) => told[at]);
  }

  async #tellOne(receiver: Receiver<A>, alert: A, signal: AbortSignal): Promise<boolean> {
    if (this.#busy.has(receiver)) {
      this.#failed(receiver, alert, "it has not come back from an earlier call");
      return false;
    }
    this.#busy.add(receiver);
    const called = Promise.try(() => receiver.tell(alert, signal)).finally(() => this.#busy.delete(receiver));
    using limit = timeLimit(PATIENCE_SECONDS * 1000, this.#clock, signal);
    try {
      await abortable(called, limit.signal);
      return true;
    } catch (error) {
      const late = signal.aborted
        ? "it was stopped"
        : `it did not come back within ${PATIENCE_SECONDS} seconds`;
      this.#failed(receiver, alert, limit.signal.aborted ? late : logLine(error));
      return false;
    }
  }

  #failed({ name }: Receiver<A>, alert: A, error: string): void {
    this.#failures++;
    this.#notTold(name, alert, error);
  }
}
