import { assertEquals } from "@std/assert";
import { loadConfig } from "../../../lib/config/load.ts";
import { load, loadObject, variables, withFolder } from "./support.ts";

/** Provider and URI of everything a configuration ends up with. */
async function adapters(text: string, domain = "my_domain") {
  const { config } = await load(text, { domain });
  const uri = (table: Record<string, unknown>) => [table["provider"], table["URI"] ?? table["database_uri"]];
  const all = (tables: Record<string, Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, uri(table)]));
  return {
    databases: all(config.databases),
    brokers: all(config.brokers),
    caches: all(config.caches),
    event_store: config.event_store && uri(config.event_store),
  };
}

const streams = ["sqlite", "sqlite:///my_domain-streams.db"];
const events = ["sqlite", "sqlite:///my_domain.db"];

Deno.test("nothing named: two SQLite files, one of them for streams and cache (design 6, delivery 14)", async () => {
  assertEquals(await adapters(""), {
    databases: { default: events },
    brokers: { default: streams },
    caches: { default: streams },
    event_store: events,
  });
});

Deno.test("the files are named after the normalized domain", async () => {
  const { databases } = await adapters("", "My Shop-2.0");
  assertEquals(databases, { default: ["sqlite", "sqlite:///my_shop_2_0.db"] });
  assertEquals((await adapters("", "日本")).databases, { default: ["sqlite", "sqlite:///domain.db"] });
});

Deno.test("broker, cache and events go beside the SQLite database that is named", async () => {
  const text = '[databases.default]\nprovider = "sqlite"\ndatabase_uri = "sqlite:////var/data/shop.db"';
  assertEquals(await adapters(text), {
    databases: { default: ["sqlite", "sqlite:////var/data/shop.db"] },
    brokers: { default: ["sqlite", "sqlite:////var/data/shop-streams.db"] },
    caches: { default: ["sqlite", "sqlite:////var/data/shop-streams.db"] },
    event_store: ["sqlite", "sqlite:////var/data/shop.db"],
  });
});

Deno.test("an in-memory database brings the other three into memory; inline means memory", async () => {
  for (const provider of ["memory", "inline"]) {
    const memory = ["memory", undefined];
    assertEquals(await adapters(`[databases.default]\nprovider = "${provider}"`), {
      databases: { default: memory },
      brokers: { default: memory },
      caches: { default: memory },
      event_store: memory,
    });
  }
});

const POSTGRES = '[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://h/db"\n';
/** Of an authority that signs nothing. */
const CERTIFICATE = [
  "MIIBbzCCARWgAwIBAgIUS0L9igmK4fTPVrylYC2uiPGRUTswCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC",
  "Y2EwHhcNMjYxMTI4MTAxNTMwWhcNMjYxMTMwMTAxNTMwWjANMQswCQYDVQQDDAJjYTBZMBMGByqGSM49",
  "AgEGCCqGSM49AwEHA0IABFvVZUpn/KkV5mmwDOWp7e7WL7FUaCa+7nv2fLYbGv1lsFCQ+9cXaF/Zh9h0",
  "2F7kDTpP54w95+0f/NA46j+/RXCjUzBRMB0GA1UdDgQWBBTLbF1owv/Mck6YI4MmOu00OI0sqzAfBgNV",
  "HSMEGDAWgBTLbF1owv/Mck6YI4MmOu00OI0sqzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA",
  "MEUCIQD4oWypvsXcojfRb2g+JNXsONIgvMNp2+daoXSV5Jp94gIgOMJgBzli5mkWY9CQS9yJBj3EmRFB",
  "+nFkrCaOoAxynjs=",
].join("");

const REDIS = '[brokers.default]\nprovider = "redis"\nURI = "redis://h"\n';

Deno.test("PostgreSQL without a broker: SQLite for the rest (design 6)", async () => {
  assertEquals(await adapters(POSTGRES), {
    databases: { default: ["postgresql", "postgresql://h/db"] },
    brokers: { default: streams },
    caches: { default: streams },
    event_store: events,
  });
});

Deno.test("PostgreSQL and Redis: no event store unless it is named (delivery 15)", async () => {
  assertEquals((await adapters(POSTGRES + REDIS)).event_store, undefined);
  assertEquals((await adapters(POSTGRES + REDIS + '[event_store]\nprovider = "sqlite"')).event_store, events);
  assertEquals((await adapters(REDIS)).event_store, events);
});

Deno.test("a cache that is not named is kept by the Redis that is the broker", async () => {
  const { caches } = await adapters(POSTGRES + REDIS);
  assertEquals(caches, { default: ["redis", "redis://h"] });
  assertEquals((await adapters(POSTGRES + REDIS + "[caches.default]\nTTL = 5")).caches, caches);
  assertEquals((await adapters('[brokers.default]\nprovider = "./kafka.js"')).caches, { default: streams });
});

Deno.test("a cache that is not named trusts the authority of the broker whose Redis it shares, no other", async () => {
  const ca = "-----BEGIN CERTIFICATE-----\n" + CERTIFICATE + "\n-----END CERTIFICATE-----\n";
  const broker = '[brokers.default]\nprovider = "redis"\nURI = "rediss://h"\ntls_ca_file = "ca.pem"\n';
  const cacheOf = (text: string) =>
    withFolder({ "domain.toml": broker + text, "ca.pem": ca }, async (cwd) => {
      const { config } = await loadConfig({ domain: "my_domain", cwd, variables: variables() });
      const { URI, tls_ca_file } = config.caches["default"] as Record<string, unknown>;
      return [URI, tls_ca_file];
    });
  assertEquals(await cacheOf(""), ["rediss://h", "ca.pem"]);
  assertEquals(await cacheOf("[caches.default]\nTTL = 5"), ["rediss://h", "ca.pem"]);
  assertEquals(await cacheOf('[caches.default]\ntls_ca_file = ""'), ["rediss://h", ""]);
  const own = '[caches.default]\nprovider = "redis"\nURI = "redis://other"';
  assertEquals(await cacheOf(own), ["redis://other", undefined]);
});

Deno.test("what is set in part is filled up only where it fits", async () => {
  assertEquals((await adapters("[databases.default]\npool_size = 9")).databases, { default: events });
  assertEquals((await adapters('[databases.default]\ndatabase_uri = "sqlite:///x.db"')).databases, {
    default: ["sqlite", "sqlite:///x.db"],
  });
  assertEquals((await adapters('[databases."a b"]\nprovider = "sqlite"')).databases, {
    default: events,
    "a b": ["sqlite", "sqlite:///my_domain-a_b.db"],
  });
  assertEquals((await adapters('[brokers.side]\nprovider = "sqlite"')).brokers, {
    default: streams,
    side: streams,
  });
});

Deno.test("a custom adapter keeps keys of its own", async () => {
  const { config } = await load('[brokers.default]\nprovider = "./kafka.js"\nbootstrap_servers = ["a:1"]');
  assertEquals(config.brokers["default"]?.["bootstrap_servers"], ["a:1"]);
});

Deno.test("the health listener is on loopback, inside Kubernetes on every interface, unless the user says otherwise", async () => {
  const inside = variables({ KUBERNETES_SERVICE_HOST: "10.0.0.1" });
  assertEquals((await load("")).config.server.health.host, "127.0.0.1");
  assertEquals((await load("", { variables: inside })).config.server.health.host, "0.0.0.0");
  assertEquals(
    (await load('[server.health]\nhost = "::1"', { variables: inside })).config.server.health.host,
    "::1",
  );
  assertEquals((await load("[server.health]\nport = 1", { variables: inside })).config.server.health, {
    enabled: true,
    host: "0.0.0.0",
    port: 1,
    port_auto_increment: false,
    blocked_after_seconds: 10,
  });
});

Deno.test("defaults are those of the reference, except as the design changes them (wire 7.4, design 6)", async () => {
  const { config } = await loadObject({});
  const { databases: _d, brokers: _b, caches: _c, event_store: _e, server, logging, ...others } = config;
  const { alerts, ...rest } = others;
  assertEquals(rest, {
    testing: false,
    debug: false,
    identity_strategy: "uuid",
    identity_type: "string",
    email_providers: {},
    event_processing: "async",
    command_processing: "async",
    message_processing: "async",
    lenient_deserialization: false,
    snapshot_threshold: 10,
    enable_outbox: false,
    outbox: {
      broker: "default",
      external_brokers: [],
      messages_per_tick: 50,
      tick_interval: 0.01,
      max_tick_interval: 1,
      notify: true,
      retry: {
        max_attempts: 3,
        base_delay_seconds: 1,
        max_backoff_seconds: 60,
        backoff_multiplier: 2,
        jitter: true,
        jitter_factor: 0.25,
      },
      cleanup: {
        published_retention_hours: 168,
        abandoned_retention_hours: 720,
        cleanup_interval_ticks: 86400,
        batch_size: 5000,
      },
    },
    idempotency: { ttl: 86400, error_ttl: 60 },
    consume_idempotency: { cleanup: { batch_size: 5000 } },
    telemetry: {
      enabled: false,
      exporter: "otlp",
      resource_attributes: {},
      semconv: false,
      flush_timeout_seconds: 2,
      trace_sample_ratio: 0.01,
    },
    observatory: { host: "127.0.0.1", port: 9000, rollups: true, trace_retention_days: 0 },
    lint: {
      level: "warn",
      suppressions: {},
      aggregate_size_limit: 5,
      handler_breadth_limit: 5,
      rules: [],
      check_infra_imports: false,
      check_adapter_calls: false,
    },
    custom: {},
  });
  assertEquals(server, {
    default_subscription_type: "stream",
    max_message_bytes: 1048576,
    max_received_bytes: 8388608,
    messages_per_tick: 100,
    tick_interval: 0,
    drain_timeout_seconds: 10,
    stream_subscription: {
      blocking_timeout_ms: 100,
      max_retries: 3,
      retry_delay_seconds: 1,
      retry_max_delay_seconds: 60,
      enable_dlq: true,
      circuit_breaker_threshold: 10,
      circuit_breaker_reset_seconds: 60,
      concurrency: 1,
      idempotent: false,
      claim_idle_ms: 30000,
      claim_interval_ms: 5000,
    },
    event_store_subscription: {
      position_update_interval: 10,
      max_retries: 3,
      retry_delay_seconds: 1,
      retry_max_delay_seconds: 60,
      enable_recovery: true,
      recovery_interval_seconds: 30,
      gap_timeout_seconds: 5,
    },
    broker_subscription: {
      max_retries: 3,
      retry_delay_seconds: 1,
      retry_max_delay_seconds: 60,
      enable_dlq: true,
    },
    version_retry: { enabled: true, max_retries: 3, base_delay_seconds: 0.05, max_delay_seconds: 1 },
    transient_retry: {
      enabled: false,
      max_retries: 3,
      backoff: "exponential",
      base_delay_seconds: 0.1,
      max_delay_seconds: 5,
      exceptions: ["builtins.ConnectionError", "builtins.TimeoutError", "protean.exceptions.SendError"],
    },
    subscriptions: {},
    profiles: {},
    dlq: {
      ...{
        enabled: false,
        retention_hours: 168,
        alert_threshold: 100,
        check_interval_seconds: 60,
        discard_keep_hours: 168,
      },
      alert_on: "cycle",
    },
    health: {
      enabled: true,
      host: "127.0.0.1",
      port: 8080,
      port_auto_increment: false,
      blocked_after_seconds: 10,
    },
    metrics: { enabled: false, path: "/metrics" },
    priority_lanes: { enabled: false, threshold: 0, backfill_suffix: "backfill" },
    partitioning: { lease_ttl_ms: 15000, poll_interval_seconds: 0.25, reap_idle_ms: 3600000 },
  });
  assertEquals([logging.level, logging.format, logging.slow_handler_threshold_ms], ["", "auto", 500]);
  assertEquals(logging.redact.length, 8);
  assertEquals(logging.sampling.default_rate, 0.05);
  // The table of operations 11.
  const { rules, ...settings } = alerts;
  assertEquals(settings, { enabled: false, repeat_seconds: 14_400 });
  const numbers = (own: object) =>
    ["threshold", "for_seconds"].map((key) => Object.entries(own).find(([name]) => name === key)?.[1]);
  assertEquals(Object.fromEntries(Object.entries(rules).map(([rule, own]) => [rule, numbers(own)])), {
    dlq_depth: [undefined, undefined],
    oldest_age: [300, 60],
    silent_subscription: [300, 0],
    breaker_open: [undefined, 60],
    outbox_age: [60, 60],
    worker_lost: [undefined, 0],
    pool_exhausted: [1, 30],
    check: [undefined, 0],
  });
  assertEquals(Object.values(rules).every(({ enabled, subjects }) => enabled && `${subjects}` === "*"), true);
});

Deno.test("pool settings default to SQLAlchemy's, as upstream configures it (wire 6.5, design 6)", async () => {
  const { config } = await load(POSTGRES + REDIS);
  assertEquals(config.databases["default"], {
    provider: "postgresql",
    database_uri: "postgresql://h/db",
    managed: true,
    pool_size: 5,
    max_overflow: 10,
    overflow_idle_seconds: 2,
    pool_recycle: 1800,
    pool_timeout: 30,
    pool_pre_ping: true,
    commit_group_size: 200,
  });
  assertEquals(config.brokers["default"], {
    provider: "redis",
    URI: "redis://h",
    max_connections: 50,
    socket_timeout: 5,
    socket_connect_timeout: 5,
    retry_on_timeout: false,
  });
});

Deno.test("in a cluster of IPv6 probes are answered there (probe-ipv6)", async () => {
  const inside = variables({ KUBERNETES_SERVICE_HOST: "fd00:10:96::1" });
  assertEquals((await load("", { variables: inside })).config.server.health.host, "::");
});
