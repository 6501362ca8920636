/**
 * What the gauges of a running engine are read from (wire 9.5). Nothing of it asks a backend when it is read: the
 * monitor has done that, and of dead letters the watch.
 *
 * @module
 */
import { AlertService } from "../alerts/service.ts";
import type { EngineService } from "../async/service.ts";
import { DlqMaintenance } from "../dlq/maintenance.ts";
import { placesOf, subscribed } from "../dlq/places.ts";
import { QueueWatch } from "../dlq/queue_figures.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { engineReadiness } from "../health/bodies.ts";
import { CheckRunner } from "../health/check_runner.ts";
import type { HealthMonitor } from "../health/monitor.ts";
import type { StatusSource } from "../health/subscription_source.ts";
import type { StatusRuntime } from "../status/collect.ts";
import type { SubscriptionStatus } from "../subscription/status.ts";
import { LoopDelay } from "../telemetry/loop_delay.ts";
import { type GaugeSource, registerGauges } from "../telemetry/metrics/gauges.ts";

export interface GaugeParts {
  readonly runtime: DomainRuntime & Pick<StatusRuntime, "readsEventStore">;
  /** What the monitor has collected for the probes. */
  readonly collected: Pick<StatusSource, "pendingSeconds">;
  readonly monitor: HealthMonitor;
  readonly subscriptions: () => readonly SubscriptionStatus[];
  readonly services: readonly EngineService[];
}

/** Registers the gauges where there are metrics. Returns what takes them off again. */
export function engineGauges(parts: GaugeParts): () => void {
  const { runtime: { telemetry, clock } } = parts;
  if (!telemetry?.meter) return () => {};
  const delay = new LoopDelay(clock);
  const { runtime } = parts;
  const queues = new QueueWatch(placesOf(subscribed(runtime), runtime.runners), clock);
  const withdraw = registerGauges(telemetry.meter, gaugeSource(parts, delay, queues));
  return () => {
    withdraw();
    delay.stop();
    queues.stop();
  };
}

function gaugeSource(
  { runtime, monitor, collected, subscriptions, services }: GaugeParts,
  delay: LoopDelay,
  queues: QueueWatch,
): GaugeSource {
  const { clock, config: { config } } = runtime;
  const began = clock.monotonic();
  return {
    domain: runtime.name,
    uptimeMs: () => clock.monotonic() - began,
    ready: () => engineReadiness(monitor.snapshot()).status === 200,
    loopDelayMs: () => delay.take(),
    rows: () =>
      (monitor.snapshot().subscriptions?.details ?? []).map((row) => ({
        ...row,
        oldest_pending_seconds: collected.pendingSeconds(row),
      })),
    subscriptions: () =>
      subscriptions().map(({ lastPollAgeMs, ...status }) => ({
        ...status,
        lastPollAgeMs: lastPollAgeMs ?? undefined,
      })),
    pools: () =>
      [...runtime.providers.values()].flatMap((provider) => {
        const stats = provider.poolStats();
        const type = String(config.databases[provider.name]?.provider ?? "unknown");
        return stats ? [{ name: provider.name, type, ...stats }] : [];
      }),
    brokers: () => {
      const { components } = monitor.snapshot();
      return [...runtime.brokers.values()].map((broker) => ({
        name: broker.name,
        up: components.some(({ kind, name, status }) =>
          kind === "broker" && name === broker.name && status === "ok"
        ),
        connections: broker.openConnections(),
      }));
    },
    alerts: () => services.find((service) => service instanceof AlertService)?.firing,
    checks: () =>
      services.filter((service) => service instanceof CheckRunner).flatMap(({ states }) =>
        states.map(({ name, status }) => ({
          name,
          passed: status === "pending" ? undefined : status === "ok",
        }))
      ),
    deadLetters: () => {
      // What maintenance has just seen is newer, and what it does not look after is there too.
      const seen = services.filter((service) => service instanceof DlqMaintenance)
        .flatMap(({ figures }) => [...figures].map(([stream, measured]) => ({ stream, ...measured })));
      const streams = new Set(seen.map(({ stream }) => stream));
      return [...seen, ...queues.figures.filter(({ stream }) => !streams.has(stream))];
    },
  };
}
