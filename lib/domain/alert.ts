/**
 * What a team's own code is told when something needs somebody (operations 11).
 *
 * @module
 */

/** Something that fires, or (`resolved`) is over. */
export interface Alert {
  /** `oldest_age`; a rule of `[alerts.rules]`. */
  readonly rule: string;
  /** What it is about: the name of a subscription, a broker, a worker, a provider, a check. */
  readonly subject: string;
  readonly state: "firing" | "resolved";
  /** When it began to be so, by the broker's clock; that of `resolved` too. */
  readonly since: Date;
  /** What was measured, in the unit of the rule's threshold; undefined: the rule measures nothing. */
  readonly value: number | undefined;
  readonly threshold: number | undefined;
  /** A sentence for people. */
  readonly text: string;
}

/** Called with each alert. It may be async; how long it is waited for is bounded. */
export type AlertListener = (alert: Alert) => unknown;
