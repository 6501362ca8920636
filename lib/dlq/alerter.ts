/**
 * Tells everybody who wants to know of an alert. One that throws, rejects or hangs keeps nobody else from
 * being told, and the maintenance no longer than a bound (DLQ-7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { abortable, timeLimit } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";
import { logLine } from "../message/describe_error.ts";

const log = getLogger(["protean", "dlq"]);

/** Seconds that a receiver is waited for. */
export const PATIENCE_SECONDS = 10;

/** Somebody who is told. */
export interface Receiver {
  /** `callback`, `webhook`: for the log. */
  readonly name: string;
  tell(alert: DlqAlert, signal: AbortSignal): unknown;
}

export class Alerter {
  readonly #receivers: readonly Receiver[];
  readonly #clock: Clock;
  /** Those that have not come back from an earlier alert: they are not called again meanwhile. */
  readonly #busy = new Set<Receiver>();
  #failures = 0;

  constructor(receivers: readonly Receiver[], clock: Clock) {
    this.#receivers = receivers;
    this.#clock = clock;
  }

  /** Calls that threw, rejected, or did not come back in time. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Resolves once all of `to` have been told, or have had their time, with those that could not be told. Never
   * rejects. Defaults to everybody.
   */
  async tell(
    alert: DlqAlert,
    signal: AbortSignal,
    to: readonly Receiver[] = this.#receivers,
  ): Promise<readonly Receiver[]> {
    const told = await Promise.all(to.map((receiver) => this.#tellOne(receiver, alert, signal)));
    return to.filter((_, at) => !told[at]);
  }

  async #tellOne(receiver: Receiver, alert: DlqAlert, signal: AbortSignal): Promise<boolean> {
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

  #failed({ name }: Receiver, { dlqStream }: DlqAlert, error: string): void {
    this.#failures++;
    log.error("dlq_maintenance.alert_failed", { receiver: name, dlq_stream: dlqStream, error });
  }
}
