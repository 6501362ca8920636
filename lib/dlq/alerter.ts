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

  /** Resolves once all have been told, or have had their time. Never rejects. */
  async tell(alert: DlqAlert, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#receivers.map((receiver) => this.#tellOne(receiver, alert, signal)));
  }

  async #tellOne(receiver: Receiver, alert: DlqAlert, signal: AbortSignal): Promise<void> {
    if (this.#busy.has(receiver)) {
      return this.#failed(receiver, alert, "it has not come back from an earlier call");
    }
    this.#busy.add(receiver);
    const called = Promise.try(() => receiver.tell(alert, signal)).finally(() => this.#busy.delete(receiver));
    using limit = timeLimit(PATIENCE_SECONDS * 1000, this.#clock, signal);
    await abortable(called, limit.signal).catch((error) => {
      const late = signal.aborted
        ? "it was stopped"
        : `it did not come back within ${PATIENCE_SECONDS} seconds`;
      this.#failed(receiver, alert, limit.signal.aborted ? late : logLine(error));
    });
  }

  #failed({ name }: Receiver, { dlqStream }: DlqAlert, error: string): void {
    this.#failures++;
    log.error("dlq_maintenance.alert_failed", { receiver: name, dlq_stream: dlqStream, error });
  }
}
