/**
 * `[alerts]` (operations 11): which rules there are, and what makes each of them fire.
 *
 * @module
 */
import * as z from "zod";
import { above, atLeast, flag, text, texts } from "../fields.ts";

const common = {
  enabled: flag().default(true),
  subjects: texts().min(1).default(["*"]).describe(
    "What it is about, by name; '*' and '?' stand for others.",
  ),
};

/** `seconds`: for how long it must be so before it fires. */
const lasting = (seconds: number) => ({
  ...common,
  for_seconds: atLeast(0).default(seconds).describe("Seconds for which it must be so before it fires."),
});

const measured = (threshold: number, seconds: number, meaning: string) =>
  z.strictObject({ threshold: above(0).default(threshold).describe(meaning), ...lasting(seconds) })
    .prefault({});
const plain = (seconds: number) => z.strictObject(lasting(seconds)).prefault({});

const rules = z.strictObject({
  dlq_depth: z.strictObject(common).prefault({})
    .describe("Dead letters pile up; [server.dlq] says when, and who is told."),
  oldest_age: measured(300, 60, "Seconds since the oldest message that is not acknowledged.")
    .describe("A subscription is behind."),
  silent_subscription: measured(300, 0, "Seconds for which messages wait and none is handled.")
    .describe("A subscription stands still."),
  breaker_open: plain(60).describe("The circuit breaker of a subscription is not closed."),
  outbox_age: measured(60, 60, "Seconds since the oldest row that is not published.")
    .describe("Messages do not leave the outbox."),
  worker_lost: plain(0).describe("The heartbeat of a worker ended without a clean stop."),
  pool_exhausted: measured(
    1,
    30,
    "Connections in use, as a share of pool_size, while somebody waits for one.",
  )
    .describe("A database's pool is used up."),
  check: plain(0).describe("A check of domain.check fails."),
}).prefault({}).describe("What fires, and when.");

/** `[alerts]`. */
export const alertsSchema = z.strictObject({
  enabled: flag().default(false).describe("Watch the rules, and tell."),
  callback: text().optional().describe("'./alerts.js#onAlert', relative to this file."),
  webhook: text().optional().describe(
    "Address that receives alerts as Slack-compatible JSON; that of [server.dlq] alert_webhook where absent.",
  ),
  repeat_seconds: atLeast(0).default(14_400).describe(
    "Seconds until a firing alert is told again; 0: never.",
  ),
  rules,
}).prefault({}).describe("Alerts without Prometheus.");
