import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { ineffective, ineffectiveKeys } from "../../../lib/config/no_effect.ts";
import { isPythonOnly } from "../../../lib/config/python_only.ts";
import { configSchema } from "../../../lib/config/schema.ts";
import { profileSchema, subscriptionSchema } from "../../../lib/config/schema/subscription.ts";
import { keyPaths } from "../../../lib/config/walk.ts";
import { load, loadObject } from "./support.ts";

const keys = async (text: string) => [...ineffectiveKeys(await load(text))].map(({ key }) => key);

Deno.test("keys that change nothing are listed where somebody has set them, and not by their defaults", async () => {
  assertEquals(await keys(""), []);
  const set = `
snapshot_threshold = 5
[server]
messages_per_tick = 5
[server.stream_subscription]
circuit_breaker_threshold = 10
max_retries = 3
[server.subscriptions.Audit]
dlq_alert_threshold = 7
[server.profiles.own]
circuit_breaker_reset_seconds = 5
concurrency = 2
[server.dlq]
enabled = true
retention_hours = 5
alert_webhook = "https://hooks.example/x"
[server.metrics]
enabled = true
[telemetry]
resource_attributes = { team = "shop" }
[idempotency]
ttl = 5
[consume_idempotency.cleanup]
batch_size = 7
[outbox]
tick_interval = 5
max_tick_interval = 5
`;
  assertEquals(await keys(set), [
    "snapshot_threshold",
    "telemetry.resource_attributes.team",
    "idempotency.ttl",
    "outbox.tick_interval",
  ]);
});

Deno.test("what is switched off is as it was asked for", async () => {
  const off = { metrics: { enabled: false }, dlq: { enabled: false } };
  assertEquals([...ineffectiveKeys(await loadObject({ server: off, telemetry: { enabled: false } }))], []);
});

Deno.test("the outbox is there whatever is said: who asks for none is told, who asks for it has it", async () => {
  assertEquals(await keys("enable_outbox = false"), ["enable_outbox"]);
  assertEquals(await keys("enable_outbox = true"), []);
});

Deno.test("connections are told to be none where the adapter runs inside this process", async () => {
  const embedded = `
[databases.default]
provider = "sqlite"
pool_size = 20
schema = "shop"
[brokers.default]
provider = "inline"
max_connections = 50
[caches.default]
provider = "memory"
TTL = 5
socket_timeout = 1
[event_store]
max_connections = 5
`;
  assertEquals(await keys(embedded), [
    "databases.default.pool_size",
    "databases.default.schema",
    "brokers.default.max_connections",
    "caches.default.socket_timeout",
    "event_store.max_connections",
  ]);
  const servers = `
[databases.default]
provider = "postgresql"
database_uri = "postgresql://h/db"
pool_size = 20
[brokers.default]
provider = "redis"
URI = "redis://h"
max_connections = 50
[brokers.own]
provider = "own"
max_connections = 50
`;
  assertEquals(await keys(servers), []);
});

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (!isDirectory) yield await Deno.readTextFile(path);
    else if (path !== join(root, "config")) yield* sources(path);
  }
}

const root = new URL("../../../lib", import.meta.url).pathname;

Deno.test("a key that no code reads is told or Python's own", async () => {
  // A rule between keys reads them too.
  let code = await Deno.readTextFile(join(root, "config/rules.ts"));
  for await (const text of sources(root)) code += text;
  const all = [
    ...keyPaths(configSchema),
    ...[...keyPaths(subscriptionSchema)].map((path) => ["server", "subscriptions", "X", ...path]),
    ...[...keyPaths(profileSchema)].map((path) => ["server", "profiles", "X", ...path]),
  ];
  const unread = all.filter((path) => {
    const read = new RegExp(`\\b${path.at(-1)}\\b`).test(code);
    return !read && !ineffective(path) && !isPythonOnly(path);
  });
  assert(all.length > 100);
  assertEquals(unread.map((path) => path.join(".")), []);
});

Deno.test("what alerts is said to be without effect while nobody watches", async () => {
  const set = (enabled: boolean) => `
[server.dlq]
enabled = ${enabled}
retention_hours = 5
alert_webhook = "https://hooks.example/x"
alert_on = "change"
`;
  assertEquals(await keys(set(true)), []);
  assertEquals(await keys(set(false)), ["server.dlq.alert_webhook", "server.dlq.alert_on"]);
});

Deno.test("what [alerts] says is said to be without effect while nobody watches", async () => {
  const set = (alerts: boolean, dlq: boolean) => `
[alerts]
enabled = ${alerts}
repeat_seconds = 0
[alerts.rules.oldest_age]
threshold = 5
[alerts.rules.dlq_depth]
subjects = ["shop::*"]
[server.dlq]
enabled = ${dlq}
alert_webhook = "https://hooks.example/x"
`;
  assertEquals(await keys(set(true, true)), []);
  assertEquals(await keys(set(true, false)), ["alerts.rules.dlq_depth.subjects"]);
  assertEquals(await keys(set(false, true)), [
    ...["alerts.repeat_seconds", "alerts.rules.oldest_age.threshold", "alerts.rules.dlq_depth.subjects"],
  ]);
  assertEquals((await keys(set(false, false))).includes("server.dlq.alert_webhook"), true);
  const own = `[alerts]\nenabled = true\nwebhook = "https://hooks.example/y"\n
[server.dlq]\nalert_webhook = "https://hooks.example/x"\n`;
  assertEquals(await keys(own), ["server.dlq.alert_webhook"]);
});
