/**
 * From an initialised domain to the background services that run it. A further kind of service is a line in
 * `assemble`.
 *
 * @module
 */
import { processName } from "../adapters/client_name.ts";
import type { BaseBroker } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import type { EngineService } from "../async/service.ts";
import { KINDS } from "../domain/kinds.ts";
import { lanesOf } from "../domain/lanes.ts";
import { MAIN_BROKER, managedProviders, outboxRoutes, subscriptionBroker } from "../domain/places.ts";
import { MAIN } from "../domain/work/commit.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import type { CleanerOptions } from "../maintenance/cleaner.ts";
import { Alerter } from "../alerts/alerter.ts";
import { alertChannels } from "../alerts/channels.ts";
import { ruleSettings } from "../alerts/rule_settings.ts";
import { DlqMaintenance } from "../dlq/maintenance.ts";
import { keepsDeadLetters } from "../dlq/places.ts";
import { alertNotTold, alertReceivers } from "../dlq/receivers.ts";
import type { HandlerRule, WatchedQueue } from "../dlq/watched_queue.ts";
import { CheckRunner } from "../health/check_runner.ts";
import { LockWatch } from "../health/lock_watch.ts";
import type { Latest } from "../health/subscription_source.ts";
import { MarkCleaner } from "../maintenance/mark_cleaner.ts";
import { deadLetterStream } from "../message/names.ts";
import { markRetentionHours } from "../maintenance/mark_retention.ts";
import { OperationService } from "../operations/service.ts";
import { OutboxCleaner } from "../outbox/cleaner.ts";
import { OutboxProcessor } from "../outbox/processor.ts";
import { UnpublishedWatch } from "../outbox/unpublished_watch.ts";
import type { WorkHealth } from "../status/work_health.ts";
import { EventStoreSubscription } from "../subscription/event_store_subscription.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { PartitionLeases } from "../subscription/partitions/leases.ts";
import { StreamSubscription } from "../subscription/stream_subscription.ts";
import type { SubscriptionStatus } from "../subscription/status.ts";
import { TextShare } from "../subscription/text_share.ts";
import { AlertService } from "../alerts/service.ts";
import { alertFigures } from "./alert_figures.ts";
import { OutboxReconcile } from "./outbox_reconcile.ts";
import { announced, Heartbeat } from "./heartbeat.ts";
import { bothTold, RollupService } from "./rollups.ts";
import { type PlannedSubscription, planSubscriptions } from "./subscription_plan.ts";

/** Cleaners come at least this often while their interval's own unit is ticks (wire 3.7). */
const MOST_CLEANUP_TICKS = 10_000;

export interface Assembly {
  /** Everything that runs in the background, in the order in which it is started. */
  readonly services: readonly EngineService[];
  readonly subscriptions: readonly PlannedSubscription[];
}

export interface AssemblyOptions {
  readonly random?: Random;
  /** Told by the services how their work goes. */
  readonly work: WorkHealth;
  readonly onFailure: (error: Error) => void;
  /** What they do now, for the others to know. @default nothing is told of them */
  readonly statuses?: () => readonly SubscriptionStatus[];
  /** What was collected of all subscriptions. @default nothing is known of them */
  readonly latest?: () => Latest | undefined;
  /** Whether subscriptions have a circuit breaker. @default true */
  readonly breaker?: boolean;
}

/** What the services are made from. */
interface Plan extends AssemblyOptions {
  readonly runtime: DomainRuntime;
  readonly subscriptions: readonly PlannedSubscription[];
  /** Name of this process in groups, leases and logs. */
  readonly identity: string;
  /** Name of this worker among all of them. */
  readonly worker: string;
  /** What all subscriptions hold together. */
  readonly share: TextShare;
  /** What they do, minute by minute; undefined: nobody keeps it. */
  readonly rollups: RollupService | undefined;
}

/** Throws one `ConfigurationError` that lists every handler whose settings cannot work. */
export function assemble(runtime: DomainRuntime, options: AssemblyOptions): Assembly {
  const identity = processName();
  const plan: Plan = {
    ...options,
    runtime,
    subscriptions: planSubscriptions(runtime),
    identity,
    worker: `${identity}-${hex()}`,
    share: new TextShare(),
    rollups: rollupsOf(runtime),
  };
  const processors = outboxProcessors(plan);
  const checks = checkRunners(plan);
  return {
    services: [
      ...processors,
      ...(plan.rollups ? [plan.rollups] : []),
      ...reconciles(plan),
      ...unpublishedWatches(plan),
      ...lockWatches(plan),
      ...streamSubscriptions(plan, processors),
      ...eventStoreSubscriptions(plan),
      ...outboxCleaners(plan),
      ...markCleaners(plan),
      ...dlqMaintenance(plan),
      ...checks,
      ...heartbeats(plan, checks),
      ...alerts(plan, checks),
      ...operations(plan),
    ],
    subscriptions: plan.subscriptions,
  };
}

function rollupsOf(runtime: DomainRuntime): RollupService | undefined {
  if (!runtime.config.config.observatory.rollups || runtime.runners.length === 0) return undefined;
  const { rollups } = subscriptionBroker(runtime);
  return rollups && new RollupService(rollups, runtime.clock);
}

function checkRunners({ runtime: { checks, clock, observer } }: Plan): CheckRunner[] {
  return checks.length === 0 ? [] : [new CheckRunner({ checks, clock, observer })];
}

function statesOf(checks: readonly CheckRunner[]) {
  return () => checks.flatMap(({ states }) => states);
}

function alerts(plan: Plan, checks: readonly CheckRunner[]): AlertService[] {
  const { runtime, worker, statuses = () => [], latest = () => undefined, random } = plan;
  const { enabled, rules, repeat_seconds: repeatSeconds } = runtime.config.config.alerts;
  if (!enabled) return [];
  return [
    new AlertService({
      ...{ broker: subscriptionBroker(runtime), domain: runtime.name, rules, repeatSeconds },
      figures: alertFigures({ runtime, id: worker, statuses, checks: statesOf(checks), latest }),
      channels: () => alertChannels(runtime),
      clock: runtime.clock,
      observer: runtime.observer.alerts?.(),
      ...(random && { random }),
    }),
  ];
}

function heartbeats(
  { runtime, worker: id, statuses = () => [] }: Plan,
  checks: readonly CheckRunner[],
): Heartbeat[] {
  const { peers } = subscriptionBroker(runtime);
  if (!peers) return [];
  const started = new Date(runtime.clock.now()).toISOString();
  const states = statesOf(checks);
  const tell = () => announced(runtime, { id, started }, statuses(), states());
  return [new Heartbeat({ peers, id, tell, clock: runtime.clock })];
}

function outboxProcessors({ runtime, identity, work, onFailure, random }: Plan): OutboxProcessor[] {
  const { outbox } = runtime.config.config;
  const lanes = lanesOf(runtime.config.config);
  return outboxRoutes(runtime).map(({ provider, broker, external }) =>
    new OutboxProcessor({
      provider,
      broker,
      // Other teams' brokers have no lanes of ours (S59).
      lanes: external ? undefined : lanes,
      owner: `${identity}-${hex()}`,
      clock: runtime.clock,
      work: {
        provider: work.reporter("provider", provider.name),
        broker: work.reporter("broker", broker.name),
        streams: work.reporter("broker", broker.name),
        asking: work.asking("provider", provider.name),
      },
      observer: runtime.observer.processor?.({ provider: provider.name, broker: broker.name }),
      onFailure,
      settings: {
        messagesPerTick: outbox.messages_per_tick,
        maxTickIntervalSeconds: outbox.max_tick_interval,
        retry: outbox.retry,
      },
      ...(random && { random }),
    })
  );
}

/** Where there is an event store, and the outbox of the main database is this domain's to fill. */
function reconciles({ runtime }: Plan): OutboxReconcile[] {
  const isManaged = managedProviders(runtime).some(({ name }) => name === MAIN);
  return runtime.eventStore && isManaged ? [new OutboxReconcile(runtime)] : [];
}

function unpublishedWatches({ runtime, work }: Plan): UnpublishedWatch[] {
  return outboxRoutes(runtime).map(({ provider, broker }) =>
    new UnpublishedWatch({
      ...{ provider, broker, clock: runtime.clock },
      work: work.reporter("provider", provider.name),
      publishing: work.watchReporter("broker", broker.name),
    })
  );
}

function lockWatches({ runtime, work }: Plan): LockWatch[] {
  return [...runtime.providers.values()].map((provider) =>
    new LockWatch({ provider, clock: runtime.clock, work: work.reporter("provider", provider.name) })
  );
}

function streamSubscriptions(plan: Plan, processors: readonly OutboxProcessor[]): StreamSubscription[] {
  const { runtime, work, breaker = true } = plan;
  // A message is handled here while its row is not recorded as published only where it was published to the
  // broker that it is read from. What another team's broker makes of it is nothing to wait for.
  const publishedTo = (broker: BaseBroker) => {
    const publishing = processors.filter((processor) => processor.broker === broker);
    return (messageId: string) => {
      for (const processor of publishing) {
        const settled = processor.settled(messageId);
        if (settled) return settled;
      }
      return undefined;
    };
  };
  const { partitioning, priority_lanes } = runtime.config.config.server;
  const leases = new Map<HandlerRunner, PartitionLeases>();
  return plan.subscriptions.filter(({ settings }) => settings.subscriptionType === "stream").map(
    (planned) => {
      const { broker, backfill, category } = planned;
      const common = subscribing(plan, planned);
      const leasesOf = leases.get(planned.runner) ?? new PartitionLeases(common.consumer);
      leases.set(planned.runner, leasesOf);
      return new StreamSubscription({
        ...common,
        broker,
        backfill,
        leases: leasesOf,
        parted: runtime.partitionFields.has(category),
        partitioning: {
          leaseTtlMs: partitioning.lease_ttl_ms,
          heartbeatMs: (partitioning.heartbeat_interval_seconds ?? partitioning.lease_ttl_ms / 5000) * 1000,
          pollMs: partitioning.poll_interval_seconds * 1000,
          reapIdleMs: partitioning.reap_idle_ms,
          backfillSuffix: priority_lanes.backfill_suffix,
        },
        published: publishedTo(broker),
        work: work.reporter("broker", broker.name),
        breaker,
      });
    },
  );
}

function eventStoreSubscriptions(plan: Plan): EventStoreSubscription[] {
  const { runtime: { eventStore: store, providers, config } } = plan;
  if (!store) return [];
  const { enable_recovery, recovery_interval_seconds, gap_timeout_seconds } =
    config.config.server.event_store_subscription;
  const main = providers.get("default");
  return plan.subscriptions.filter(({ settings }) => settings.subscriptionType === "event_store").map((
    planned,
  ) =>
    new EventStoreSubscription({
      ...subscribing(plan, planned),
      store,
      // Where the handlers' effects are, else whatever the replicas share.
      locks: main ? [main, planned.broker] : [planned.broker],
      recoveryIntervalSeconds: enable_recovery ? recovery_interval_seconds : undefined,
      gapTimeoutSeconds: gap_timeout_seconds,
    })
  );
}

/** What every subscription is made from. */
function subscribing(
  { runtime, identity, share, work, onFailure, random, rollups }: Plan,
  { runner, category, settings }: PlannedSubscription,
) {
  return {
    runner: runtime.bind(runner, settings),
    category,
    settings,
    share,
    crowd: runtime.crowd,
    maxReceivedBytes: runtime.config.config.server.max_received_bytes,
    clock: runtime.clock,
    consumer: `${runner.name}-${identity}-${hex()}`,
    health: work,
    observer: bothTold(
      runtime.observer.subscription?.({ handler: runner.name, category, group: runner.group }),
      rollups?.observer(KINDS[runner.kind].rowName(runner.group, category)),
    ),
    onFailure,
    ...(random && { random }),
  };
}

function outboxCleaners({ runtime }: Plan): OutboxCleaner[] {
  const { cleanup } = runtime.config.config.outbox;
  return managedProviders(runtime).map((provider) =>
    new OutboxCleaner({
      ...cleaning(runtime, cleanup.batch_size),
      provider,
      publishedRetentionHours: cleanup.published_retention_hours,
      abandonedRetentionHours: cleanup.abandoned_retention_hours,
    })
  );
}

function markCleaners({ runtime, subscriptions }: Plan): MarkCleaner[] {
  const { config } = runtime.config;
  return managedProviders(runtime).map((provider) =>
    new MarkCleaner({
      ...cleaning(runtime, config.consume_idempotency.cleanup.batch_size),
      provider,
      retentionHours: markRetentionHours(config, subscriptions),
    })
  );
}

function dlqMaintenance({ runtime, subscriptions, random }: Plan): DlqMaintenance[] {
  const { dlq, max_received_bytes: maxReceivedBytes } = runtime.config.config.server;
  const { enabled, alert_threshold, alert_on, check_interval_seconds } = dlq;
  if (!enabled) return [];
  const { alerts } = runtime.config.config;
  const rule = alerts.enabled ? ruleSettings(alerts.rules).get("dlq_depth") : undefined;
  return [...Map.groupBy(subscriptions, ({ broker }) => broker)].flatMap(([broker, own]) => {
    const queues = watchedQueues(own);
    if (queues.length === 0 || !keepsDeadLetters(broker)) return [];
    return new DlqMaintenance({
      ...{
        broker,
        domain: runtime.name,
        queues,
        clock: runtime.clock,
        observer: runtime.observer,
        maxReceivedBytes,
      },
      alertThreshold: alert_threshold,
      alertOn: alert_on,
      ...(rule && { isAbout: (stream) => rule.enabled && rule.isAbout(stream) }),
      intervalSeconds: check_interval_seconds,
      discardKeepHours: dlq.discard_keep_hours,
      alerter: async () => new Alerter(await alertReceivers(runtime), runtime.clock, alertNotTold),
      ...(random && { random }),
    });
  });
}

/** Where the broker keeps operations: without, there are none but those of this process's own code. */
function operations({ runtime }: Plan): OperationService[] {
  return runtime.brokers.get(MAIN_BROKER)?.operations ? [new OperationService(runtime)] : [];
}

/**
 * One of each lane, with the rules of all its handlers (DLQ-4, S40): of those too that dead-letter no more,
 * whose letters may still lie there.
 */
function watchedQueues(subscriptions: readonly PlannedSubscription[]): readonly WatchedQueue[] {
  const byStream = new Map<string, HandlerRule[]>();
  for (const { runner: { name, group }, category, backfill, settings } of subscriptions) {
    const { dlqRetentionHours: retentionHours, dlqAlertThreshold: alertThreshold, enableDlq } = settings;
    const rule = {
      handler: name,
      group,
      retentionHours,
      alertThreshold,
      ...(!enableDlq && { isFormer: true }),
    };
    for (const origin of backfill === undefined ? [category] : [category, backfill]) {
      const stream = deadLetterStream(origin);
      byStream.set(stream, [...byStream.get(stream) ?? [], rule]);
    }
  }
  return [...byStream].map(([stream, rules]) => ({ stream, rules }));
}

function cleaning(
  { clock, config: { config: { outbox } } }: DomainRuntime,
  batchSize: number,
): CleanerOptions {
  const ticks = Math.min(outbox.cleanup.cleanup_interval_ticks, MOST_CLEANUP_TICKS);
  return { clock, batchSize, intervalSeconds: Math.max(1, ticks * outbox.tick_interval) };
}

function hex(): string {
  return [...crypto.getRandomValues(new Uint8Array(3))].map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
