/**
 * Who is told of alerts: the function and the webhook of `[alerts]`.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Alert } from "../domain/alert.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { loadFunction } from "../loading/function_module.ts";
import { logLine } from "../message/describe_error.ts";
import type { Receiver } from "./alerter.ts";
import { slackText } from "./slack_text.ts";
import { postMessage } from "./webhook.ts";

const log = getLogger(["protean", "alerts"]);

/** Somebody who is told of several alerts at once, `most` at a time. */
export interface Channel extends Receiver<readonly Alert[]> {
  readonly most: number;
}

/** Everybody who is told. A function that cannot be loaded is said in a warning, and left out. */
export async function alertChannels(
  { config: { config, folder } }: Pick<DomainRuntime, "config">,
): Promise<readonly Channel[]> {
  const { callback, webhook = config.server.dlq.alert_webhook } = config.alerts;
  const channels: Channel[] = [];
  if (callback !== undefined) {
    try {
      const loaded = await loadFunction("callback in [alerts]", callback, folder);
      channels.push({ name: "callback", most: 1, tell: ([alert]) => loaded(alert) });
    } catch (error) {
      log.warn("alerts.callback_unloadable", { error: logLine(error) });
    }
  }
  if (webhook !== undefined) {
    const from = { key: "webhook in [alerts]", code: "ALERT_WEBHOOK_FAILED" };
    channels.push({
      ...{ name: "webhook", most: Infinity },
      tell: (alerts, signal) => postMessage(webhook, { text: slackText(alerts) }, signal, from),
    });
  }
  return channels;
}
