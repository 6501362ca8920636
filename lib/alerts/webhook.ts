/**
 * Posting to an address that takes what Slack takes.
 *
 * @module
 */
import { timeLimit } from "../async/abort.ts";
import { systemClock } from "../async/clock.ts";
import { ProteanError } from "../errors.ts";

/** What is posted, as JSON. */
export interface SlackMessage {
  readonly text: string;
}

/** Seconds an attempt may take. */
const TIMEOUT_SECONDS = 2;
const ATTEMPTS = 2;

/**
 * Posts the message, with one repetition. Redirects are not followed: they would carry it to somebody else.
 * Rejects with `ProteanError` of the code that is given, which does not name the address: it is a secret.
 * `key`: where the address is from, for the error.
 */
export async function postMessage(
  webhook: string,
  message: SlackMessage,
  signal: AbortSignal,
  { key, code }: { readonly key: string; readonly code: string },
): Promise<void> {
  const body = JSON.stringify(message);
  for (let attempt = 1;; attempt++) {
    const failure = await post(webhook, body, signal);
    if (failure === undefined) return;
    if (attempt >= ATTEMPTS || signal.aborted) {
      throw new ProteanError(`The alert could not be posted to ${key}: ${failure}; check the address.`, {
        code,
      });
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
