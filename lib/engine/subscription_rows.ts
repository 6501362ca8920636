/**
 * The figures of every subscription and outbox processor, as `/readyz` and `subscriptions status` show them (wire 8.7).
 *
 * @module
 */
import type { BaseBroker, BaseProvider } from "../adapters/ports.ts";
import type { SubscriptionSource } from "../health/subscription_collector.ts";
import type { SubscriptionRow } from "../health/types.ts";
import type { StreamSubscription } from "../subscription/stream_subscription.ts";
import type { Assembly } from "./assembly.ts";

export function subscriptionSource(
  assembly: Assembly,
  broker: BaseBroker,
  providers: readonly BaseProvider[],
): SubscriptionSource {
  return {
    total: () => assembly.subscriptions.length + assembly.processors.length,
    collect: async () => {
      const streams = await Promise.all(
        assembly.subscriptions.map((subscription) => streamRow(subscription, broker)),
      );
      const outboxes = await Promise.all(providers.map((provider) => outboxRow(provider, broker)));
      return [...streams, ...outboxes];
    },
  };
}

async function streamRow(subscription: StreamSubscription, broker: BaseBroker): Promise<SubscriptionRow> {
  const [info, dlqDepth] = await Promise.all([
    subscription.info(),
    broker.deadLetters.depth(subscription.deadLetterStream),
  ]);
  const { runner, category } = subscription;
  const names = {
    command_handler: `commands:${category}`,
    event_handler: runner.group,
    projector: `${runner.group}-${category}`,
  };
  return {
    name: names[runner.kind],
    handler_name: runner.name,
    subscription_type: "stream",
    stream_category: category,
    lag: info?.lag ?? null,
    pending: info?.pending ?? null,
    status: status(info?.lag ?? null, info?.pending ?? 0),
    dlq_depth: dlqDepth,
    lag_seconds: null,
  };
}

async function outboxRow(provider: BaseProvider, broker: BaseBroker): Promise<SubscriptionRow> {
  const { counts } = await provider.outbox.stats();
  const lag = counts.pending + counts.processing;
  return {
    name: `outbox-processor-${provider.name}-to-${broker.name}`,
    handler_name: "OutboxProcessor",
    subscription_type: "outbox",
    stream_category: `${provider.name} → ${broker.name}`,
    lag,
    pending: counts.processing,
    status: status(lag, 0),
    dlq_depth: counts.failed + counts.abandoned,
    lag_seconds: null,
  };
}

function status(lag: number | null, pending: number): SubscriptionRow["status"] {
  if (lag === null) return "unknown";
  return lag === 0 && pending === 0 ? "ok" : "lagging";
}
