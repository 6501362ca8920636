/**
 * From an initialised domain to the background services that run it.
 *
 * @module
 */
import type { BaseBroker, BaseProvider } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { defaultBroker, type DomainRuntime } from "../domain/runtime.ts";
import { ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { OutboxCleaner } from "../outbox/cleaner.ts";
import { OutboxProcessor } from "../outbox/processor.ts";
import { resolveSettings, type SubscriptionSettings } from "../subscription/settings/resolve.ts";
import { unservedSections, unservedSettings } from "../subscription/settings/unserved.ts";
import { StreamSubscription } from "../subscription/stream_subscription.ts";

/** Outbox rows are looked for at least this often while the cleanup's own unit is ticks (wire 3.7). */
const MOST_CLEANUP_TICKS = 10_000;
/** Marks outlive the longest dead-letter retention by a replay window (delivery 16). */
const REPLAY_WINDOW_HOURS = 168;

export interface Assembly {
  readonly subscriptions: readonly StreamSubscription[];
  readonly processors: readonly OutboxProcessor[];
  readonly cleaners: readonly OutboxCleaner[];
  /** What the subscriptions read from. */
  readonly broker: BaseBroker;
}

export interface AssemblyOptions {
  readonly random?: Random;
  readonly onFailure: (error: Error) => void;
}

interface Planned {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly settings: SubscriptionSettings;
}

/** Throws one `ConfigurationError` that lists every handler whose settings cannot work. */
export function assemble(runtime: DomainRuntime, options: AssemblyOptions): Assembly {
  const planned = plan(runtime);
  const identity = processIdentity();
  const broker = defaultBroker(runtime);
  const { clock } = runtime;
  const services = outboxServices(runtime, planned, identity, options);
  const published = (messageId: string) => {
    for (const processor of services.processors) {
      const marked = processor.marked(messageId);
      if (marked) return marked;
    }
    return undefined;
  };
  const subscriptions = planned.map(({ runner, category, settings }) =>
    new StreamSubscription({
      runner: runtime.bind(runner, settings),
      category,
      settings,
      broker,
      clock,
      consumer: `${runner.name}-${identity}-${hex()}`,
      published,
      onFailure: options.onFailure,
      ...(options.random ? { random: options.random } : {}),
    })
  );
  return { subscriptions, broker, ...services };
}

function plan(runtime: DomainRuntime): readonly Planned[] {
  const problems: ConfigurationProblem[] = [];
  const planned: Planned[] = [];
  for (const runner of runtime.runners) {
    for (const category of runner.categories) {
      try {
        const settings = resolveSettings({ config: runtime.config, handler: runner, category });
        problems.push(...unservedSettings(runner, settings));
        planned.push({ runner, category, settings });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  problems.push(...unservedSections(runtime.config.config));
  const unique = [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  if (unique.length > 0) {
    throw new ConfigurationError(unique.map((problem) => problem.message).join("\n"), { problems: unique });
  }
  return planned;
}

function outboxServices(
  runtime: DomainRuntime,
  planned: readonly Planned[],
  identity: string,
  options: AssemblyOptions,
) {
  const { clock } = runtime;
  const { outbox, consume_idempotency } = runtime.config.config;
  const longestRetention = Math.max(
    runtime.config.config.server.dlq.retention_hours,
    ...planned.map(({ settings }) => settings.dlqRetentionHours),
  );
  const processors: OutboxProcessor[] = [];
  const cleaners: OutboxCleaner[] = [];
  for (const provider of managedProviders(runtime)) {
    for (const name of [outbox.broker, ...outbox.external_brokers]) {
      const broker = runtime.brokers.get(name);
      if (!broker) {
        throw new ConfigurationError(`[outbox] names the broker '${name}', which is not in [brokers].`, {
          code: "CONFIG_INVALID_VALUE",
        });
      }
      processors.push(
        new OutboxProcessor({
          provider,
          broker,
          owner: `${identity}-${hex()}`,
          clock,
          onFailure: options.onFailure,
          settings: {
            messagesPerTick: outbox.messages_per_tick,
            maxTickIntervalSeconds: outbox.max_tick_interval,
            retry: outbox.retry,
          },
          ...(options.random ? { random: options.random } : {}),
        }),
      );
    }
    cleaners.push(
      new OutboxCleaner({
        provider,
        clock,
        intervalSeconds: Math.max(
          1,
          Math.min(outbox.cleanup.cleanup_interval_ticks, MOST_CLEANUP_TICKS) * outbox.tick_interval,
        ),
        publishedRetentionHours: outbox.cleanup.published_retention_hours,
        abandonedRetentionHours: outbox.cleanup.abandoned_retention_hours,
        batchSize: outbox.cleanup.batch_size,
        markRetentionHours: consume_idempotency.cleanup.retention_hours ??
          longestRetention + REPLAY_WINDOW_HOURS,
      }),
    );
  }
  return { processors, cleaners };
}

/** Databases whose tables are ours: those without `managed = false` (wire 6.5). */
export function managedProviders(runtime: DomainRuntime): readonly BaseProvider[] {
  const { databases } = runtime.config.config;
  return [...runtime.providers.values()].filter((provider) => databases[provider.name]?.managed !== false);
}

/** `<host>-<pid>`; the host keeps no character that would break the consumer's name apart (wire 2.3). */
function processIdentity(): string {
  return `${Deno.hostname().replace(/[^A-Za-z0-9.-]/g, "_") || "localhost"}-${Deno.pid}`;
}

function hex(): string {
  return [...crypto.getRandomValues(new Uint8Array(3))].map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
