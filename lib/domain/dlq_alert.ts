/**
 * What a team's own code is told when dead letters pile up (guide "Keep the DLQ under control").
 *
 * @module
 */

/** A dead-letter queue that has reached its threshold, or (`resolved`) is below it again. */
export interface DlqAlert {
  /** `my_domain::order:dlq`. */
  readonly dlqStream: string;
  /** Letters in the queue; of a handler with a threshold of its own, its letters alone. */
  readonly depth: number;
  readonly threshold: number;
  /** Handlers whose letters are meant, as declared. */
  readonly handlers: readonly string[];
  /** When the oldest letter of the queue was written; undefined: there is none. */
  readonly oldest: Date | undefined;
  /** What the newest letters failed of, the most frequent first. */
  readonly topErrors: readonly { readonly errorType: string; readonly count: number }[];
  /** Always `firing` with `alert_on = "cycle"`. */
  readonly state: "firing" | "resolved";
}

/** Called with each alert. It may be async; how long it is waited for is bounded. */
export type DlqAlertListener = (alert: DlqAlert) => unknown;
