/**
 * The guide's alert for Slack, as a function: `alert_callback = "./alerts.ts#onDlqAlert"` in `[server.dlq]`.
 * Whoever only wants this message needs no code: `alert_webhook = "${SLACK_DLQ_WEBHOOK}"`.
 *
 * @module
 */
import type { Alert, DlqAlert } from "@protean/server";

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

/**
 * Other alerts, as a function: `callback = "./alerts.ts#onAlert"` in `[alerts]`. This one pages somebody for what
 * cannot wait and leaves the rest to the webhook.
 */
export async function onAlert({ rule, subject, state, since, text }: Alert): Promise<void> {
  const pager = Deno.env.get("PAGER_WEBHOOK");
  if (!pager || rule !== "silent_subscription" && rule !== "check") return;
  const response = await fetch(pager, {
    method: "POST",
    headers: { "content-type": "application/json" },
    // The same key while it lasts: whoever is told twice has one incident.
    body: JSON.stringify({ key: `${rule} ${subject} ${since.toISOString()}`, state, text }),
    signal: AbortSignal.timeout(2_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`The pager answered ${response.status}.`);
}
