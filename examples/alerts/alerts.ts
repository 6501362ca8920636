/**
 * The guide's alert for Slack, as a function: `alert_callback = "./alerts.ts#onDlqAlert"` in `[server.dlq]`.
 * Whoever only wants this message needs no code: `alert_webhook = "${SLACK_DLQ_WEBHOOK}"`.
 *
 * @module
 */
import type { DlqAlert } from "@protean/server";

/** Posts a message when a dead-letter queue reaches its threshold. What it throws is logged by the server. */
export async function onDlqAlert({ dlqStream, depth, threshold, topErrors }: DlqAlert): Promise<void> {
  const webhook = Deno.env.get("SLACK_DLQ_WEBHOOK");
  const errors = topErrors.map(({ errorType, count }) => `${count} × ${errorType}`).join(", ");
  // The server has logged the depth and the threshold already.
  if (!webhook) return;
  const response = await fetch(webhook, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      text: `:warning: DLQ \`${dlqStream}\` has ${depth} messages (threshold ${threshold}). ` +
        `Mostly: ${errors}. Investigate before replaying.`,
    }),
    signal: AbortSignal.timeout(2_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`Slack answered ${response.status}.`);
}
