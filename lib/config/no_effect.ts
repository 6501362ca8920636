/**
 * Keys that are accepted, for the reference has them or a later version reads them, and that change nothing
 * here. Whoever has set one is told at the start.
 *
 * @module
 */
import type { LoadedConfig, Origin } from "./loaded.ts";
import { matches, type Path, valueAt } from "./tree.ts";

/** Why a key changes nothing. */
export interface Ineffective {
  /** Patterns; everything below a match is meant too. */
  readonly keys: readonly string[];
  /** What is the case whatever the key says. */
  readonly instead: string;
  /** What gives the key its effect. */
  readonly until?: string;
}

/** The same keys wherever the settings of subscriptions are. */
function everywhere(...keys: readonly string[]): readonly string[] {
  return ["stream_subscription", "subscriptions.*", "profiles.*"].flatMap((table) =>
    keys.map((key) => `server.${table}.${key}`)
  );
}

const INEFFECTIVE: readonly Ineffective[] = [
  {
    keys: everywhere("circuit_breaker_threshold", "circuit_breaker_reset_seconds"),
    instead: "no subscription pauses after failures",
    until: "the circuit breaker",
  },
  {
    keys: ["server.dlq.enabled", "server.dlq.check_interval_seconds"],
    instead: "dead letters are neither trimmed nor watched",
    until: "dead-letter maintenance",
  },
  {
    keys: ["server.dlq.retention_hours", "server.subscriptions.*.dlq_retention_hours"],
    instead: "dead letters are not trimmed; only the marks of idempotent handlers are kept that much longer",
    until: "dead-letter maintenance",
  },
  {
    keys: [
      "server.dlq.alert_threshold",
      "server.dlq.alert_callback",
      "server.dlq.alert_webhook",
      "server.subscriptions.*.dlq_alert_threshold",
    ],
    instead: "nobody is told when dead letters pile up",
    until: "dead-letter maintenance",
  },
  {
    keys: ["server.event_store_subscription", ...everywhere("position_update_interval")],
    instead: "every subscription reads a stream",
    until: "event-store subscriptions",
  },
  {
    keys: ["snapshot_threshold"],
    instead: "aggregates store their state",
    until: "event-sourced aggregates",
  },
  { keys: ["server.partitioning"], instead: "sequentialBy is refused", until: "sequentialBy" },
  {
    keys: ["server.transient_retry"],
    instead: "only version conflicts are repeated within one delivery",
    until: "transient retries",
  },
  {
    keys: ["server.health.blocked_after_seconds"],
    instead: "a blocked event loop is not reported",
    until: "the watch over the event loop",
  },
  { keys: ["server.metrics"], instead: "there is no such page", until: "metrics" },
  { keys: ["telemetry"], instead: "no traces and no metrics are exported", until: "telemetry" },
  { keys: ["observatory"], instead: "there is no dashboard", until: "the dashboard" },
  { keys: ["lint"], instead: "there is no command 'check'", until: "check" },
  {
    keys: [
      "logging.slow_handler_threshold_ms",
      "logging.slow_query_threshold_ms",
      "logging.slow_query_truncate_chars",
    ],
    instead: "slow handlers and queries are not told",
    until: "telemetry",
  },
  { keys: ["logging.sampling"], instead: "every record is written", until: "telemetry" },
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
export function withoutEffect({ instead, until }: Ineffective): string {
  const time = until === undefined ? "in this server" : `in this version, which lacks ${until}`;
  return `has no effect ${time}: ${instead}.`;
}

/** Keys that somebody has set and that change nothing. What is `false` is as it was asked for. */
export function* ineffectiveKeys(
  { config, origins }: LoadedConfig,
): Generator<{ readonly key: string; readonly origin: Origin; readonly why: Ineffective }> {
  for (const [key, origin] of origins) {
    const why = ineffective(origin.path);
    if (why && valueAt(config, origin.path) !== false) yield { key, origin, why };
  }
}
