/**
 * Keys that are accepted, for the reference has them or a later version reads them, and that change nothing
 * here. Whoever has set one is told at the start.
 *
 * @module
 */
import type { LoadedConfig, Origin } from "./loaded.ts";
import type { Config } from "./schema.ts";
import { matches, type Path, valueAt } from "./tree.ts";

/** Why a key changes nothing. */
export interface Ineffective {
  /** Patterns; everything below a match is meant too. */
  readonly keys: readonly string[];
  /** What is the case whatever the key says. */
  readonly instead: string;
  /** What gives the key its effect. */
  readonly until?: string;
  /** The key has its effect where this holds; then it is another key that takes it away. */
  readonly unless?: { readonly holds: (config: Config) => boolean; readonly otherwise: string };
  /** The value with which everything is as it was asked for. @default false */
  readonly granted?: unknown;
}

const INEFFECTIVE: readonly Ineffective[] = [
  {
    keys: ["server.dlq.alert_webhook"],
    instead: "dead letters are neither trimmed nor watched",
    unless: {
      // It is the one of [alerts] too, unless that names its own.
      holds: ({ server, alerts }) => server.dlq.enabled || alerts.enabled && alerts.webhook === undefined,
      otherwise: "'server.dlq.enabled' is false",
    },
  },
  {
    keys: ["alerts.rules.dlq_depth"],
    instead: "the rule does not say which dead letters are told of",
    unless: {
      holds: ({ server, alerts }) => server.dlq.enabled && alerts.enabled,
      otherwise: "'alerts.enabled' or 'server.dlq.enabled' is false",
    },
  },
  {
    keys: ["callback", "webhook", "repeat_seconds", "rules"].map((key) => `alerts.${key}`),
    instead: "nobody watches the rules",
    unless: { holds: ({ alerts }) => alerts.enabled, otherwise: "'alerts.enabled' is false" },
  },
  {
    keys: [
      "alert_threshold",
      "alert_callback",
      "alert_on",
      "check_interval_seconds",
      "discard_keep_hours",
    ].map((
      key,
    ) => `server.dlq.${key}`),
    instead: "dead letters are neither trimmed nor watched",
    unless: { holds: ({ server }) => server.dlq.enabled, otherwise: "'server.dlq.enabled' is false" },
  },
  {
    keys: ["snapshot_threshold"],
    instead: "aggregates store their state",
    until: "event-sourced aggregates",
  },
  { keys: ["enable_outbox"], instead: "messages always take the outbox", granted: true },
  {
    keys: ["server.transient_retry"],
    instead: "only version conflicts are repeated within one delivery",
    until: "transient retries",
  },
  {
    keys: [
      "service_name",
      "exporter",
      "endpoint",
      "protocol",
      "semconv",
      "trace_sample_ratio",
      "flush_timeout_seconds",
      "resource_attributes",
    ].map((key) => `telemetry.${key}`),
    instead: "no traces and no metrics are exported",
    unless: { holds: ({ telemetry }) => telemetry.enabled, otherwise: "'telemetry.enabled' is false" },
  },
  {
    keys: ["observatory.trace_retention_days"],
    instead: "the ways of messages are not kept",
    until: "the dashboard",
    granted: 0,
  },
  {
    keys: [
      "aggregate_size_limit",
      "handler_breadth_limit",
      "rules",
      "check_infra_imports",
      "check_adapter_calls",
    ].map((key) => `lint.${key}`),
    instead: "'check' has no rules about how a domain is designed",
  },
  {
    keys: ["logging.slow_query_threshold_ms", "logging.slow_query_truncate_chars"],
    instead: "slow queries are not told; slow handlers are",
  },
  {
    keys: ["default_rate", "always_keep_errors", "always_keep_slow", "critical_streams"].map((key) =>
      `logging.sampling.${key}`
    ),
    instead: "every record is written",
    unless: {
      holds: ({ logging }) => logging.sampling.enabled,
      otherwise: "'logging.sampling.enabled' is false",
    },
  },
  {
    keys: ["idempotency"],
    instead:
      "idempotency keys of commands are kept in the database, as long as the marks of idempotent handlers",
  },
  {
    keys: ["outbox.tick_interval"],
    instead:
      "the outbox goes on at once while there is work; the key only is the unit of cleanup_interval_ticks",
  },
];

/** Why the key at `path` changes nothing; undefined: it does change something. */
export function ineffective(path: Path): Ineffective | undefined {
  return INEFFECTIVE.find(({ keys }) => keys.some((pattern) => matches(pattern, path)));
}

/** `has no effect until metrics come: …`: the end of the sentence about a key. */
export function withoutEffect({ instead, until, unless }: Ineffective): string {
  if (unless) return `has no effect while ${unless.otherwise}: ${instead}.`;
  const time = until === undefined ? "in this server" : `in this version, which lacks ${until}`;
  return `has no effect ${time}: ${instead}.`;
}

/** Keys of the connections to a server. What runs inside this process has none. */
const CONNECTION_KEYS: ReadonlySet<string> = new Set([
  ...["schema", "pool_size", "max_overflow", "overflow_idle_seconds", "pool_recycle", "pool_timeout"],
  ...["pool_pre_ping", "password_file", "password_command", "connection_budget", "commit_group_size"],
  ...["max_connections", "socket_timeout", "socket_connect_timeout", "retry_on_timeout", "tls_ca_file"],
]);
const EMBEDDED: ReadonlySet<unknown> = new Set(["memory", "inline", "sqlite"]);

/** Why a key of an adapter's table changes nothing. */
function ofEmbedded({ config }: LoadedConfig, path: Path): Ineffective | undefined {
  if (!CONNECTION_KEYS.has(String(path.at(-1)))) return undefined;
  const isTable = path.length === 3 && ["databases", "brokers", "caches"].includes(String(path[0]));
  if (!isTable && !(path.length === 2 && path[0] === "event_store")) return undefined;
  const provider = valueAt(config, [...path.slice(0, -1), "provider"]);
  if (!EMBEDDED.has(provider)) return undefined;
  // An overlay takes back with an empty text what stands in the base.
  return {
    keys: [],
    instead: `${provider} runs inside this process and has no connections to set up`,
    granted: "",
  };
}

/** Keys that somebody has set and that change nothing. What is as it was asked for is left out. */
export function* ineffectiveKeys(
  loaded: LoadedConfig,
): Generator<{ readonly key: string; readonly origin: Origin; readonly why: Ineffective }> {
  for (const [key, origin] of loaded.origins) {
    const why = ineffective(origin.path) ?? ofEmbedded(loaded, origin.path);
    if (!why || why.unless?.holds(loaded.config)) continue;
    if (valueAt(loaded.config, origin.path) === (why.granted ?? false)) continue;
    yield { key, origin, why };
  }
}
