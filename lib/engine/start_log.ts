/**
 * What the log says at the start of an engine: which services run (wire 8.3).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { EngineService } from "../async/service.ts";
import { DlqMaintenance } from "../dlq/maintenance.ts";
import { KINDS } from "../domain/kinds.ts";
import { OutboxProcessor } from "../outbox/processor.ts";
import type { PlannedSubscription } from "./subscription_plan.ts";

const log = getLogger(["protean", "engine"]);

/** They have been started. */
export function tellStart(
  domain: string,
  subscriptions: readonly PlannedSubscription[],
  services: readonly EngineService[],
): void {
  for (const { runner, category, settings } of subscriptions) {
    log.info("engine.subscription_started", {
      ...{ handler: runner.name, stream: category, subscription_type: settings.subscriptionType },
    });
  }
  const processors = services.filter((service) => service instanceof OutboxProcessor);
  for (const { name } of processors) log.info("engine.outbox_processor_started", { processor: name });
  for (const service of services) {
    if (service instanceof DlqMaintenance) log.info("engine.dlq_maintenance_started", { name: service.name });
  }
  log.info("engine.started", {
    domain,
    subscription_count: subscriptions.length,
    broker_subscription_count: subscriptions.filter(({ runner }) =>
      KINDS[runner.kind].messages === "raw"
    ).length,
    outbox_enabled: processors.length > 0,
    outbox_processors: processors.length,
  });
}
