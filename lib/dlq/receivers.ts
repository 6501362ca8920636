/**
 * Who is told when dead letters pile up: the function and the webhook of `[server.dlq]`, and what a domain
 * registered in code.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Receiver } from "../alerts/alerter.ts";
import type { DlqAlert, DlqAlertListener } from "../domain/dlq_alert.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { loadFunction } from "../loading/function_module.ts";
import { logLine } from "../message/describe_error.ts";
import { postToSlack } from "./slack.ts";

const log = getLogger(["protean", "dlq"]);

/** Everybody who is told. A function that cannot be loaded is said in a warning, and left out (S38). */
export async function alertReceivers(
  { config: { config, folder }, dlqAlertListeners }: Pick<DomainRuntime, "config" | "dlqAlertListeners">,
): Promise<readonly Receiver<DlqAlert>[]> {
  const { alert_callback: callback, alert_webhook: webhook } = config.server.dlq;
  const receivers = dlqAlertListeners.map((listener, at) =>
    receiver(at === 0 ? "onDlqAlert" : `onDlqAlert ${at + 1}`, listener)
  );
  if (callback !== undefined) {
    try {
      const loaded = await loadFunction("alert_callback in [server.dlq]", callback, folder);
      receivers.push(receiver("alert_callback", loaded));
    } catch (error) {
      log.warn("dlq_maintenance.callback_unloadable", { error: logLine(error) });
    }
  }
  if (webhook !== undefined) {
    receivers.push({ name: "alert_webhook", tell: (alert, signal) => postToSlack(webhook, alert, signal) });
  }
  return receivers;
}

function receiver(name: string, tell: DlqAlertListener): Receiver<DlqAlert> {
  return { name, tell: (alert) => tell(alert) };
}

/** That somebody could not be told of an alert. */
export function alertNotTold(receiver: string, { dlqStream }: DlqAlert, error: string): void {
  log.error("dlq_maintenance.alert_failed", { receiver, dlq_stream: dlqStream, error });
}
