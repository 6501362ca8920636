/** Rule: dead letters that nobody trims and nobody hears of, in production (CFG-3). @module */
import { placeOf } from "../../diagnostics.ts";
import { isProduction } from "../environment.ts";
import type { RuleOf } from "../rule.ts";

export const dlqMaintenanceOff: RuleOf<"start"> = {
  code: "DLQ_MAINTENANCE_OFF",
  level: "warning",
  category: "configuration",
  stage: "start",
  fires: "`[server.dlq] enabled` is false while `PROTEAN_ENV` is production, prod or prd.",
  rationale: "Messages that exhaust their retries pile up for ever, and nobody is told that they do.",
  remedy: "Enable [server.dlq], with 'alert_callback' or 'alert_webhook' so that somebody hears of it.",
  mend: "enabled = true",
  *find({ loaded, subscriptions }) {
    if (!isProduction(loaded.env) || loaded.config.server.dlq.enabled) return;
    if (!subscriptions.some(({ settings }) => settings.enableDlq)) return;
    const key = "server.dlq.enabled";
    yield {
      key,
      message: `'${key}' is false in production: dead letters are neither trimmed nor watched.`,
      ...placeOf(loaded.origins.get(key)),
    };
  },
};
