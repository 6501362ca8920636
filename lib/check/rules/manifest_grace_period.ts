/** Rule: pods that are killed before they have drained (CFG-3). @module */
import type { RuleOf } from "../rule.ts";

/** For the last outbox pass, the closing of connections, and what a busy node takes. */
const MARGIN_SECONDS = 5;

export const manifestGracePeriod: RuleOf<"manifest"> = {
  code: "MANIFEST_GRACE_PERIOD",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires:
    `\`terminationGracePeriodSeconds\` (30 where it is not set) is less than preStop + \`drain_timeout_seconds\` + ` +
    `\`flush_timeout_seconds\` of [telemetry] + ${MARGIN_SECONDS}.`,
  rationale:
    "Kubernetes counts from the beginning of preStop. What is killed in the middle of its drain leaves messages that " +
    "wait until they are claimed, and figures that were never sent.",
  remedy: "Raise 'terminationGracePeriodSeconds' to the sum, or lower 'drain_timeout_seconds'.",
  mend: "terminationGracePeriodSeconds: 30",
  *find({ label, file, gracePeriodSeconds, preStop }, { loaded: { config: { server, telemetry } } }) {
    const before = preStop?.value.seconds ?? 0;
    const { drain_timeout_seconds: drain } = server;
    const { flush_timeout_seconds: flush } = telemetry;
    const needed = before + drain + flush + MARGIN_SECONDS;
    const { value, line } = gracePeriodSeconds;
    if (value >= needed) return;
    yield {
      element: label,
      file,
      ...(line !== undefined && { line }),
      message:
        `${label} has ${value} s to end, and needs ${needed}: ${before} (preStop) + ${drain} (drain) + ${flush} ` +
        `(flush) + ${MARGIN_SECONDS}.`,
    };
  },
};
