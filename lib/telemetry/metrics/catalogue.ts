/**
 * Every instrument of the server: name, unit, meaning and attributes (wire 9.5). Instruments are made from this
 * table, and so is `docs/reference/metrics.md`.
 *
 * @module
 */

export type InstrumentKind = "counter" | "histogram" | "gauge";

export interface Instrument {
  readonly kind: InstrumentKind;
  readonly name: string;
  /** As UCUM has it; annotations in braces; empty: none. */
  readonly unit: string;
  readonly description: string;
  /** Keys of its attributes. None ever holds an id (TEL-1). */
  readonly attributes: readonly string[];
  /** Whose it is: `[telemetry] semconv` alone brings those of the semantic conventions. @default "protean" */
  readonly group?: "semconv";
}

/** From a millisecond to five minutes, in seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Critical times go on to a day: a backlog, or an outage over night. */
export const LONG_SECONDS = [...SECONDS, 1_800, 7_200, 86_400];
/** How many there are. */
export const COUNTS = [0, 1, 2, 5, 10, 25, 50, 100, 250, 1_000];

const subscription = ["subscription", "handler", "stream"];
const row = ["domain", "handler", "stream", "type"];
const messaging = ["messaging.system", "messaging.operation.name", "messaging.destination.name"];

function instrument<K extends InstrumentKind>(kind: K) {
  return (
    name: string,
    unit: string,
    description: string,
    attributes: readonly string[] = [],
    group?: "semconv",
  ): Instrument & { readonly kind: K } => ({
    kind,
    name,
    unit,
    description,
    attributes,
    ...(group && { group }),
  });
}

const counter = instrument("counter");
const histogram = instrument("histogram");
const gauge = instrument("gauge");

/** Counted and timed where it happens. */
export const EVENTS = {
  commands: counter("protean.command.processed", "{command}", "Commands given to domain.process.", [
    "command_type",
    "status",
  ]),
  commandDuration: histogram("protean.command.duration", "s", "Time until domain.process resolved.", [
    "command_type",
    "status",
  ]),
  commandsExpired: counter("protean.command.expired", "{command}", "Commands not run: past their deadline.", [
    "command_type",
  ]),
  handlerInvocations: counter("protean.handler.invocations", "{invocation}", "Handler runs.", [
    "handler_name",
    "handler_type",
    "status",
  ]),
  handlerDuration: histogram("protean.handler.duration", "s", "Time of a handler run, its commit included.", [
    "handler_name",
    "handler_type",
    "status",
  ]),
  handlerRetried: counter(
    "protean.handler.retried",
    "{retry}",
    "Repetitions within one delivery: version conflicts and transient failures.",
    ["handler_name", "handler_type", "exception"],
  ),
  commits: counter("protean.uow.commits", "{commit}", "Units of work committed."),
  eventsPerCommit: histogram("protean.uow.events_per_commit", "{event}", "Messages sent by a unit of work."),
  published: counter("protean.outbox.published", "{message}", "Outbox rows published."),
  publishFailed: counter("protean.outbox.failed", "{message}", "Attempts to publish that failed."),
  outboxLatency: histogram("protean.outbox.latency", "s", "Time from a row's insert to its publication."),
  processed: counter(
    "protean.subscription.messages_processed",
    "{message}",
    "Messages that handlers ran on.",
    [
      ...subscription,
      "status",
    ],
  ),
  retries: counter("protean.subscription.retries", "{retry}", "Attempts after the first.", subscription),
  deadLettered: counter(
    "protean.subscription.dlq_routed",
    "{message}",
    "Messages moved to the dead letters.",
    subscription,
  ),
  processingDuration: histogram(
    "protean.subscription.processing_duration",
    "s",
    "Time of a handler run on a message, its commit included.",
    subscription,
  ),
  criticalTime: histogram(
    "protean.subscription.critical_time",
    "s",
    "Age of a message when it was handled: from the time that it bears.",
    subscription,
  ),
  breaker: counter(
    "protean.subscription.circuit_breaker.state",
    "{transition}",
    "Changes of a circuit breaker to a state.",
    ["subscription", "handler", "state"],
  ),
  deliveries: counter(
    "protean.subscription.deliveries",
    "{message}",
    "What became of deliveries: one outcome each of the log's words.",
    [...subscription, "outcome"],
  ),
  declined: counter(
    "protean.subscription.declined",
    "{message}",
    "Messages whose handlers threw Discard, by its reason (the first hundred; then 'other').",
    [...subscription, "reason"],
  ),
  dlqTrimmed: counter("protean.dlq.trimmed", "{message}", "Dead letters removed for their age.", [
    "dlq_stream",
  ]),
  dlqAlerts: counter("protean.dlq.alerts", "{alert}", "Alerts about a dead-letter queue.", ["dlq_stream"]),
  alertsTold: counter("protean.alerts.told", "{alert}", "Alerts that a channel was told of.", [
    "rule",
    "state",
  ]),
  alertsFailed: counter("protean.alerts.failed", "{call}", "Calls of a channel that failed.", ["channel"]),
  checkDuration: histogram("protean.check.duration", "s", "Time of a run of a check of domain.check.", [
    "check",
    "status",
  ]),
  consumed: counter(
    "messaging.client.consumed.messages",
    "{message}",
    "Messages delivered to a handler.",
    [...messaging, "messaging.consumer.group.name", "error.type"],
    "semconv",
  ),
  processDuration: histogram(
    "messaging.process.duration",
    "s",
    "Time of processing a message.",
    [...messaging, "messaging.consumer.group.name", "error.type"],
    "semconv",
  ),
  sent: counter("messaging.client.sent.messages", "{message}", "Messages published.", messaging, "semconv"),
} as const;

/** Read when somebody asks. */
export const GAUGES = {
  up: gauge("protean.engine.up", "", "1 while the engine runs."),
  uptime: gauge("protean.engine.uptime_seconds", "s", "Seconds since the engine started."),
  activeSubscriptions: gauge(
    "protean.engine.active_subscriptions",
    "{subscription}",
    "Subscriptions that the engine runs.",
  ),
  ready: gauge("protean.engine.ready", "", "1 while /readyz answers 200."),
  loopDelay: gauge(
    "protean.engine.event_loop_delay",
    "s",
    "How late the last timer was: the longest since the last look.",
  ),
  poolSize: gauge("protean.db.pool_size", "{connection}", "Connections that the pool keeps.", [
    "provider_name",
    "database_type",
  ]),
  poolCheckedOut: gauge("protean.db.pool_checked_out", "{connection}", "Connections in use.", [
    "provider_name",
    "database_type",
  ]),
  poolOverflow: gauge("protean.db.pool_overflow", "{connection}", "Connections beyond the pool's size.", [
    "provider_name",
    "database_type",
  ]),
  poolCheckedIn: gauge("protean.db.pool_checked_in", "{connection}", "Connections that are free.", [
    "provider_name",
    "database_type",
  ]),
  poolWaiting: gauge("protean.db.pool_waiting", "{request}", "Units of work that wait for a connection.", [
    "provider_name",
    "database_type",
  ]),
  brokerConnections: gauge(
    "protean.broker.pool_active_connections",
    "{connection}",
    "Connections open to the broker.",
    ["broker_name"],
  ),
  brokerUp: gauge("protean.broker.up", "", "1 while the broker answers.", ["broker_name"]),
  outboxPending: gauge("protean.outbox.pending_count", "{message}", "Rows not yet published.", ["domain"]),
  outboxOldestAge: gauge("protean.outbox.oldest_age", "s", "For how long the first due row has waited.", [
    "domain",
    "broker",
  ]),
  lag: gauge("protean.subscription.consumer_lag", "{message}", "Messages not yet delivered.", row),
  pending: gauge(
    "protean.subscription.pending_messages",
    "{message}",
    "Delivered and not acknowledged.",
    row,
  ),
  lagSeconds: gauge(
    "protean.subscription.lag_seconds",
    "s",
    "Age of the first message not yet delivered.",
    row,
  ),
  oldestPending: gauge(
    "protean.subscription.oldest_pending_age",
    "s",
    "Age of the first delivery not acknowledged.",
    row,
  ),
  dlqDepth: gauge("protean.subscription.dlq_depth", "{message}", "Dead letters of the stream.", row),
  status: gauge("protean.subscription.status", "", "1: nothing waits; 0: it lags; -1: unknown.", row),
  inFlight: gauge(
    "protean.subscription.in_flight",
    "{message}",
    "Deliveries whose handlers run.",
    subscription,
  ),
  unfinished: gauge(
    "protean.subscription.unfinished",
    "{message}",
    "Deliveries read whose outcome is open.",
    subscription,
  ),
  retrying: gauge(
    "protean.subscription.retrying",
    "{message}",
    "Deliveries that wait for an attempt.",
    subscription,
  ),
  paused: gauge(
    "protean.subscription.paused",
    "",
    "1 while it starts nothing: breaker open, or an outage.",
    subscription,
  ),
  lastPollAge: gauge(
    "protean.subscription.last_poll_age",
    "s",
    "Since its reader last came round.",
    subscription,
  ),
  dlqStreamDepth: gauge("protean.dlq.depth", "{message}", "Dead letters, as they were last looked at.", [
    "dlq_stream",
  ]),
  alertsFiring: gauge(
    "protean.alerts.firing",
    "{alert}",
    "Alerts of the rules of [alerts] that fire, told by the worker that judges.",
    ["rule"],
  ),
  checkPassing: gauge("protean.check.passing", "", "1: the check passed last; 0: it failed.", ["check"]),
  dlqOldestAge: gauge("protean.dlq.oldest_age", "s", "Age of the oldest dead letter.", ["dlq_stream"]),
} as const;

/** What the observatory alone can tell. */
export const OBSERVED = {
  workers: gauge(
    "protean.engine.workers",
    "{worker}",
    "Workers that announce themselves; 0: no server runs.",
    [
      "domain",
    ],
  ),
  heartbeatAge: gauge("protean.engine.heartbeat_age", "s", "Since a worker last announced itself.", [
    "source",
  ]),
} as const;

export const INSTRUMENTS: readonly Instrument[] = [
  ...Object.values(EVENTS),
  ...Object.values(GAUGES),
  ...Object.values(OBSERVED),
];
