/** A dead-letter queue in memory with time that the test moves. */
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { Alerter, type Receiver } from "../../../lib/alerts/alerter.ts";
import { alertNotTold } from "../../../lib/dlq/receivers.ts";
import { DlqMaintenance, type DlqMaintenanceOptions } from "../../../lib/dlq/maintenance.ts";
import type { HandlerRule } from "../../../lib/dlq/watched_queue.ts";
import type { DlqAlert } from "../../../lib/domain/dlq_alert.ts";
import { renderDeadLetter } from "../../../lib/message/dead_letter.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

export const HOUR_MS = 3_600_000;
export const QUEUE = "my_domain::order:dlq";

/** What all handlers have that say nothing else. */
export const COMMON = { retentionHours: 168, alertThreshold: 5 };

export function rule(handler: string, own: Partial<HandlerRule> = {}): HandlerRule {
  return { handler, group: `my_domain.${handler}`, ...COMMON, ...own };
}

export function maintenanceRig(
  rules: readonly HandlerRule[],
  options: Partial<DlqMaintenanceOptions> & { readonly receivers?: readonly Receiver<DlqAlert>[] } = {},
) {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ name: "default", domain: "my_domain", settings: {}, folder: "/", clock });
  const alerts: DlqAlert[] = [];
  const receivers = options.receivers ?? [{ name: "test", tell: (alert) => void alerts.push(alert) }];
  const maintenance = (own: Partial<DlqMaintenanceOptions> = {}) =>
    new DlqMaintenance({
      ...{
        broker,
        domain: "my_domain",
        clock,
        alertThreshold: COMMON.alertThreshold,
        alertOn: "cycle",
        intervalSeconds: 60,
      },
      queues: [{ stream: QUEUE, rules }],
      alerter: () => Promise.resolve(new Alerter(receivers, clock, alertNotTold)),
      random: () => 0.5,
      ...options,
      ...own,
    });
  /** Dead-letters `count` messages of `handler` (null: as Python writes them, which names the group alone). */
  const add = async (
    count: number,
    handler: string | null,
    error: unknown = new Error("no"),
    group?: string,
  ) => {
    const data = renderDeadLetter('{"data":{},"metadata":{}}', {
      ...{ originalStream: "my_domain::order", originalId: "1-0", consumer: "c", retryCount: 3 },
      ...{
        consumerGroup: group ?? `my_domain.${handler}`,
        handler: handler ?? "",
        failedAt: clock.now(),
        error,
      },
    });
    const text = handler === null ? data.replace('"handler":"",', "") : data;
    await broker.publish(Array.from({ length: count }, () => ({ stream: QUEUE, data: text })));
  };
  const cycle = async (of: DlqMaintenance) => await of.cycle(new AbortController().signal);
  return { clock, broker, alerts, maintenance, add, cycle, depth: () => broker.deadLetters.depth(QUEUE) };
}
