/**
 * What becomes of an alert: from what is kept of it and what was found now.
 *
 * @module
 */
import type { Finding } from "./findings.ts";
import type { AlertFacts, KeptAlert } from "./kept.ts";
import type { RuleSettings } from "./rule_settings.ts";

/** So long must something be so before it is kept that it is: what comes and goes costs nothing. */
export const KEPT_AFTER_MS = 15_000;

export interface Judged {
  readonly finding: Finding;
  readonly before: KeptAlert | undefined;
  readonly settings: Pick<RuleSettings, "threshold" | "lastsSeconds">;
  /** For how long it has been so; undefined: it is not, or nobody knows. */
  readonly heldMs: number | undefined;
  /** Epoch ms on the broker's clock. */
  readonly now: number;
}

/** What is to be kept from now on; undefined: nothing. `before` itself where nothing has changed. */
export function judge({ finding, before, settings, heldMs, now }: Judged): AlertFacts | undefined {
  if (finding.holds === undefined) return before;
  const { threshold, lastsSeconds } = settings;
  if (heldMs !== undefined && heldMs >= lastsSeconds * 1000) {
    return before?.state === "firing" ? before : {
      ...factsOf({ finding, heldMs, threshold, now }),
      state: "firing",
      // Who has not heard that it was over knows already.
      told: before?.told ?? {},
    };
  }
  switch (before?.state) {
    case "firing":
      return over(before, now);
    case "resolved":
      return before;
    default:
      if (heldMs === undefined || heldMs < KEPT_AFTER_MS) return undefined;
      if (before && before.mark === finding.mark) return before;
      return { ...factsOf({ finding, heldMs, threshold, now }), state: "pending", told: {} };
  }
}

/** It fires no more: kept as long as somebody does not know. `why`: where it is not simply over. */
export function over(before: KeptAlert, now: number, why?: string): AlertFacts | undefined {
  if (before.state === "resolved") return before;
  if (before.state === "pending" || Object.keys(before.told).length === 0) return undefined;
  const seconds = Math.max(0, Math.round((now - before.since) / 1000));
  return { ...before, state: "resolved", text: `${why ?? "Over"} after ${seconds} s: ${before.text}` };
}

/** What is told of something that fires now. */
export function factsOf(
  { finding, heldMs, threshold, now }: Pick<Judged, "finding" | "now"> & {
    readonly heldMs: number;
    readonly threshold: number | undefined;
  },
): Omit<AlertFacts, "state" | "told"> {
  const { rule, subject, mark } = finding;
  const seconds = heldMs / 1000;
  // What measures how long it has been so has no other value.
  const value = finding.value ?? (mark === undefined ? undefined : seconds);
  return { rule, subject, mark, threshold, value, since: now - heldMs, text: finding.text(seconds) };
}
