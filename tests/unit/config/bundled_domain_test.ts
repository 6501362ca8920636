import { assertEquals, assertMatch } from "@std/assert";
import { parse } from "@std/toml";
import { ineffectiveKeys } from "../../../lib/config/no_effect.ts";
import { pythonOnlyKeys } from "../../../lib/config/python_only.ts";
import { load, problemsOf, variables } from "./support.ts";

const text = await Deno.readTextFile(new URL("../../../domain.toml", import.meta.url));

Deno.test("the bundled domain.toml loads cleanly, in every environment, on the embedded default", async () => {
  for (const env of ["", "production", "test"]) {
    const loaded = await load(text, { env });
    assertEquals(loaded.warnings, []);
    assertEquals(pythonOnlyKeys(loaded), []);
    assertEquals(loaded.config.databases["default"]?.provider, "sqlite");
    assertEquals(loaded.config.brokers["default"]?.provider, "sqlite");
    assertEquals([...ineffectiveKeys(loaded)], []);
  }
});

Deno.test("the sections that the bundled domain.toml shows in comments load as well", async () => {
  assertMatch(text, /^# {3}provider = "postgresql"/m);
  const uncommented = text.replaceAll(/^# {3}(?=\[|\w+ = )/gm, "").replaceAll(/^# (?=\[|\w+ = )/gm, "");
  const environment = { DATABASE_URL: "postgresql://h/db", SLACK_DLQ_WEBHOOK: "https://hooks.example/x" };
  const { config } = await load(uncommented, { variables: variables(environment) });
  assertEquals(config.databases["default"]?.provider, "postgresql");
  assertEquals(config.brokers["default"]?.URI, "redis://localhost:6379/0");
  assertEquals(Object.keys(config.server.subscriptions), ["AuditHandler"]);
  assertEquals([config.server.dlq.enabled, config.server.dlq.alert_callback], [
    true,
    "./alerts.js#onDlqAlert",
  ]);
  const [problem] = await problemsOf(load(uncommented));
  assertEquals(problem?.code, "CONFIG_UNRESOLVED_ENV_VAR");
});

Deno.test("the guide's own configuration loads", async () => {
  const guide = `
[databases.default]
provider = "postgresql"
database_uri = "\${DATABASE_URL}"
pool_size = 10
max_overflow = 20
pool_recycle = 1800

[brokers.default]
provider = "redis"
URI = "\${REDIS_URL}"
max_connections = 50

[caches.default]
provider = "redis"
URI = "\${REDIS_URL}"
max_connections = 50

[server.health]
host = "0.0.0.0"
port = 8080

[server.dlq]
enabled = true
retention_hours = 168          # Keep 7 days of history
alert_threshold = 100          # Warn when depth hits 100
alert_callback = "myapp.alerts.on_dlq_alert"

[telemetry]
enabled = true
exporter = "otlp"
endpoint = "http://otel-collector:4317"
service_name = "my-service"
`;
  const environment = { DATABASE_URL: "postgresql://u:p@h/db", REDIS_URL: "redis://h" };
  const { config } = await load(guide, { variables: variables(environment) });
  assertEquals(config.databases["default"]?.pool_size, 10);
  assertEquals(Object.keys(parse(guide)).sort(), ["brokers", "caches", "databases", "server", "telemetry"]);
});
