/**
 * An alert about dead letters as Slack and what is compatible with it take it (guide "Keep the DLQ under
 * control").
 *
 * @module
 */
import { postMessage, type SlackMessage } from "../alerts/webhook.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";

/** The guide's message. */
export function slackMessage({ dlqStream, depth, threshold, state }: DlqAlert): SlackMessage {
  const text = state === "firing"
    ? `:warning: DLQ \`${dlqStream}\` has ${depth} messages (threshold ${threshold}). Investigate before replaying.`
    : `:white_check_mark: DLQ \`${dlqStream}\` has ${depth} messages again (threshold ${threshold}).`;
  return { text };
}

/** Posts the alert; rejects with `ProteanError`, code `DLQ_WEBHOOK_FAILED`, which does not name the address. */
export async function postToSlack(webhook: string, alert: DlqAlert, signal: AbortSignal): Promise<void> {
  await postMessage(webhook, slackMessage(alert), signal, {
    ...{ key: "alert_webhook in [server.dlq]", code: "DLQ_WEBHOOK_FAILED" },
  });
}
