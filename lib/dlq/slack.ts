/**
 * An alert as Slack and what is compatible with it take it (guide "Keep the DLQ under control").
 *
 * @module
 */
import { timeLimit } from "../async/abort.ts";
import { systemClock } from "../async/clock.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";
import { ProteanError } from "../errors.ts";

/** The guide's message. */
export function slackMessage({ dlqStream, depth, threshold, state }: DlqAlert): { readonly text: string } {
  const text = state === "firing"
    ? `:warning: DLQ \`${dlqStream}\` has ${depth} messages (threshold ${threshold}). Investigate before replaying.`
    : `:white_check_mark: DLQ \`${dlqStream}\` has ${depth} messages again (threshold ${threshold}).`;
  return { text };
}

/** Seconds an attempt may take. */
const TIMEOUT_SECONDS = 2;
const ATTEMPTS = 2;

/**
 * Posts the alert as JSON, with one repetition. Redirects are not followed: they would carry it to somebody
 * else. Rejects with `ProteanError`, code `DLQ_WEBHOOK_FAILED`, which does not name the address: it is a secret.
 */
export async function postToSlack(webhook: string, alert: DlqAlert, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(slackMessage(alert));
  for (let attempt = 1;; attempt++) {
    const failure = await post(webhook, body, signal);
    if (failure === undefined) return;
    if (attempt >= ATTEMPTS || signal.aborted) {
      throw new ProteanError(
        `The alert could not be posted to alert_webhook in [server.dlq]: ${failure}; check the address.`,
        { code: "DLQ_WEBHOOK_FAILED" },
      );
    }
  }
}

/** Returns what went wrong, undefined if nothing did. */
async function post(webhook: string, body: string, stop: AbortSignal): Promise<string | undefined> {
  using limit = timeLimit(TIMEOUT_SECONDS * 1000, systemClock, stop);
  const { signal } = limit;
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(webhook, { method: "POST", headers, body, redirect: "manual", signal });
    await response.body?.cancel();
    if (response.ok) return undefined;
    return response.status >= 300 && response.status < 400
      ? `it answered ${response.status}, a redirect, which is not followed`
      : `it answered ${response.status}`;
  } catch {
    // What the runtime says quotes the address.
    if (stop.aborted) return "it was stopped";
    return signal.aborted ? `it did not answer within ${TIMEOUT_SECONDS} seconds` : "it could not be reached";
  }
}
