import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError } from "../../../lib/errors.ts";
import { pythonOnlyKeys } from "../../../lib/config/python_only.ts";
import { load, loadObject, variables } from "./support.ts";

Deno.test("origins hold what the user set and nothing else (CFG-5)", async () => {
  const { origins } = await load(
    `
enable_outbox = true

[server]
tick_interval = "\${TICK}"
messages_per_tick = 100
subscriptions."Commands:my_domain::order:command".max_retries = 7

[outbox]
external_brokers = ["default",
  "\${BROKER|default}"]

[brokers."\${not}"]
provider = "memory"
`,
    { variables: variables({ TICK: "1", BROKER: "default" }) },
  );
  const at = (path: (string | number)[], line: number) => ({
    kind: "file" as const,
    path,
    file: "domain.toml",
    line,
  });
  const commands = ["server", "subscriptions", "Commands:my_domain::order:command", "max_retries"];
  assertEquals(Object.fromEntries(origins), {
    enable_outbox: at(["enable_outbox"], 2),
    "server.tick_interval": { ...at(["server", "tick_interval"], 5), variables: ["TICK"] },
    "server.messages_per_tick": at(["server", "messages_per_tick"], 6),
    'server.subscriptions."Commands:my_domain::order:command".max_retries': at(commands, 7),
    "outbox.external_brokers": { ...at(["outbox", "external_brokers"], 10), variables: ["BROKER"] },
    'brokers."${not}".provider': at(["brokers", "${not}", "provider"], 14),
  });
});

Deno.test("null and undefined in a configuration given in code count as not set", async () => {
  const { config, origins } = await loadObject({
    server: {
      default_subscription_profile: null,
      messages_per_tick: undefined,
      dlq: { alert_callback: null },
    },
  });
  assertEquals(config.server.messages_per_tick, 100);
  assertEquals(origins.size, 0);
});

Deno.test("the object given in code is not changed", async () => {
  const given = { server: { tick_interval: "1" }, test: { server: { tick_interval: 2 } } };
  const before = structuredClone(given);
  await loadObject(given, { env: "test" });
  assertEquals(given, before);
});

Deno.test("keys that only Python reads are accepted and can be listed", async () => {
  const loaded = await load(`
identity_strategy = "uuid"
secret_key = "x"
[email_providers.default]
provider = "protean.adapters.DummyEmailProvider"
DEFAULT_FROM_EMAIL = "a@b"
[databases.default]
provider = "postgresql"
database_uri = "postgresql://h/db"
echo = true
isolation_level = "READ COMMITTED"
[databases.default.connect_args]
options = "-c x=y"
[server.subscriptions.Audit]
origin_stream = "x"
max_retries = 1
[logging.http]
enabled = false
`);
  assertEquals(pythonOnlyKeys(loaded), [
    "identity_strategy",
    "secret_key",
    "email_providers.default.provider",
    "email_providers.default.DEFAULT_FROM_EMAIL",
    "databases.default.echo",
    "databases.default.isolation_level",
    "databases.default.connect_args.options",
    "server.subscriptions.Audit.origin_stream",
    "logging.http.enabled",
  ]);
});

Deno.test("config-018: every key that Python Protean 0.18.0 reads is accepted", async () => {
  const loaded = await load(await Deno.readTextFile(new URL("python_018.toml", import.meta.url)));
  assertEquals(loaded.warnings, []);
  assert(pythonOnlyKeys(loaded).includes("field_defaults.sanitize"));
});

for (
  const [what, text, seconds] of [
    ["alone", "drain_timeout = 25", 25],
    ["as a text", 'drain_timeout = "25"', 25],
    ["beside ours, which counts", "drain_timeout = 25\ndrain_timeout_seconds = 5", 5],
    ["as none, which is ten to Python", "drain_timeout = 0", 10],
  ] as const
) {
  Deno.test(`config-018: [server] drain_timeout is the name of ours, ${what}`, async () => {
    const { config } = await load(`[server]\n${text}\n`);
    assertEquals(config.server.drain_timeout_seconds, seconds);
  });
}

Deno.test("config-018: drain_timeout counts in an environment's overlay too", async () => {
  const { config } = await load("[server]\ntick_interval = 1\n[ci.server]\ndrain_timeout = 7\n", {
    env: "ci",
  });
  assertEquals(config.server.drain_timeout_seconds, 7);
});

Deno.test("config-018: what is nearly drain_timeout is told our name of it", async () => {
  for (const key of ["drain_timeout_second", "drain_timeouts_seconds", "drain_timeout_secs"]) {
    const error = await assertRejects(() => load(`[server]\n${key} = 5\n`), ConfigurationError);
    assertStringIncludes(error.message, "did you mean 'drain_timeout_seconds'?");
  }
});
