/**
 * Defaults that are no fixed value, in words: what they come from. A test compares the first part with
 * `complete` of `defaults.ts`; `docs/reference/configuration.md` shows all.
 *
 * @module
 */

/** Filled in before the schema judges: dotted key, `*` for any name → the default, and what it depends on. */
export const COMPLETED: Readonly<Record<string, readonly [fallback: string, origin: string]>> = {
  "databases.*.provider": ["`sqlite`", "for `default`; any other must name its own"],
  "databases.*.database_uri": [
    "`sqlite:///<domain>.db`",
    "the domain's name, for another than `default` with `-<name>` behind it; in PROTEAN_DATA_DIR, else beside domain.toml, else the current folder",
  ],
  "brokers.*.provider": ["`sqlite`", "for `default`; `memory` where [databases.default] is in memory"],
  "brokers.*.URI": ["`sqlite:///<domain>-streams.db`", "the file of [databases.default], another beside it"],
  "caches.*.provider": ["`sqlite`", "for `default`; that of [brokers.default] where it is on Redis"],
  "caches.*.URI": ["`sqlite:///<domain>-streams.db`", "for `default`; that of [brokers.default]"],
  "caches.*.tls_ca_file": ["none", "for `default`; that of [brokers.default] where it is on Redis"],
  "event_store.provider": [
    "`sqlite`",
    "that of [databases.default] where it is embedded; without an event store where database and broker are both servers",
  ],
  "event_store.database_uri": [
    "`sqlite:///<domain>.db`",
    "that of [databases.default] where it is embedded, else the domain's name",
  ],
  "server.drain_timeout_seconds": ["`10`", "[server] drain_timeout where that is set"],
  "server.release": ["none", "PROTEAN_RELEASE"],
  "server.health.host": ["`127.0.0.1`", "in Kubernetes `0.0.0.0`, or `::` in a cluster of IPv6"],
};

/** Decided where they are used. */
export const DECIDED_LATER: Readonly<Record<string, readonly [fallback: string, origin: string]>> = {
  "server.stream_subscription.retention_maxlen": [
    "none",
    "the profile: 100000 in production and fast, 500000 in batch",
  ],
  "server.stream_subscription.max_deliveries": ["`max_retries + 2`", "max_retries"],
  "server.stream_subscription.claim_idle_ms": [
    "`30000`",
    "300000 for handlers with a `consumerGroup`, which Python may share",
  ],
  "server.partitioning.heartbeat_interval_seconds": ["`3`", "lease_ttl_ms / 5000"],
  "consume_idempotency.cleanup.retention_hours": ["`336`", "the longest retention of dead letters + 168"],
  "telemetry.service_name": ["`<domain>`", "OTEL_SERVICE_NAME, else the domain's name, normalised"],
  "telemetry.exporter": ["`otlp`", "OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER where set"],
  "telemetry.endpoint": [
    "`http://localhost:4317`",
    "OTEL_EXPORTER_OTLP_ENDPOINT (and _METRICS_, _TRACES_); port 4318 where the protocol is not grpc",
  ],
  "telemetry.protocol": [
    "`grpc`",
    "OTEL_EXPORTER_OTLP_PROTOCOL, else `http/protobuf` where the endpoint has port 4318 or the path of one",
  ],
  "telemetry.resource_attributes": ["`{}`", "added to those of OTEL_RESOURCE_ATTRIBUTES"],
  "telemetry.trace_sample_ratio": ["`0.01`", "OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG where set"],
  "logging.level": ["`info`", "for a server; other commands warn only"],
};
