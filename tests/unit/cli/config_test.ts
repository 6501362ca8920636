import { parse } from "@std/toml";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../../../lib/cli/mod.ts";
import { shop, ShopFolder } from "./shop.ts";
import { recordingIo } from "./support.ts";

const TOML = `
[server]
default_subscription_profile = "batch"
messages_per_tick = 5

[server.health]
enabled = false

[server.dlq]
alert_webhook = "https://hooks.example/hunter2"

[idempotency]
redis_url = "redis://:\${REDIS_PASSWORD}@h/0"

[ci.server]
drain_timeout_seconds = 1

[custom]
api_key = "hunter2"
`;

const env = { REDIS_PASSWORD: "hunter2", PROTEAN_ENV: "ci" };

async function printed(args: string[], toml = TOML) {
  await using folder = await ShopFolder.create(toml);
  return await folder.run(["config", "print", ...args], { env });
}

Deno.test("config print prints the configuration in effect as TOML, secrets masked (CFG-4)", async () => {
  const { code, stdout, stderr } = await printed([]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.includes("hunter2"), false);
  const config = parse(stdout) as Record<string, Record<string, Record<string, unknown>>>;
  assertEquals(config["databases"]?.["default"]?.["database_uri"], "sqlite:///shop.db");
  assertEquals(config["idempotency"]?.["redis_url"] as unknown, "redis://:***@h/0");
  assertEquals(config["custom"]?.["api_key"] as unknown, "***");
});

Deno.test("config print --origin says where every value came from (CFG-4)", async () => {
  const { stdout } = await printed(["--origin"]);
  const line = (key: string) => stdout.split("\n").find((text) => text.startsWith(`${key} = `));
  assertMatch(line("messages_per_tick") ?? "", /^messages_per_tick = 50? +# .*$/);
  assertStringIncludes(stdout, 'default_subscription_profile = "batch"  # from domain.toml:3\n');
  assertMatch(line("drain_timeout_seconds") ?? "", / # environment overlay ci \(domain\.toml:16\)$/);
  assertMatch(line("redis_url") ?? "", / # from domain\.toml:13, with \$\{REDIS_PASSWORD\}$/);
  assertMatch(line("blocking_timeout_ms") ?? "", /^blocking_timeout_ms = 10000 +# profile batch$/);
  assertMatch(line("retention_maxlen") ?? "", /^retention_maxlen = 500000 +# profile batch$/);
  assertMatch(line("claim_idle_ms") ?? "", /^claim_idle_ms = 30000 +# default$/);
  for (const text of stdout.split("\n")) assertMatch(text, /^$|^\[.*\]$| # \S/);
});

Deno.test("config print --json is the house envelope", async () => {
  const { code, stdout } = await printed(["--json"]);
  const { status, data, diagnostics } = JSON.parse(stdout);
  assertEquals([code, status, diagnostics], [0, "pass", []]);
  assert(data.file.endsWith("/domain.toml"));
  assertEquals(data.config.server.messages_per_tick, 5);
  assertEquals(data.config.server.stream_subscription.max_retries, 5);
  assertEquals(data.origins["server.messages_per_tick"], "from domain.toml:4");
  assertEquals(data.origins["server.stream_subscription.max_retries"], "profile batch");
  assertEquals(stdout.includes("hunter2"), false);
});

Deno.test("config print of a wrong configuration is exit 2 with every problem", async () => {
  const { code, stdout, stderr } = await printed([], "[server]\nmessages_per_tik = 5\ntick_interval = -1\n");
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "domain.toml:2: Unknown key 'server.messages_per_tik'");
  assertStringIncludes(stderr, "domain.toml:3: 'server.tick_interval' must be a number of at least 0");
});

Deno.test("config print warns on stderr and still prints", async () => {
  const { code, stdout, stderr } = await printed([], "[cii.server]\n");
  assertEquals(code, 0);
  assertMatch(stderr, /^Warning: .*'ci'; did you mean 'cii'\?\n$/);
  assertStringIncludes(stdout, "[server]");
});

Deno.test("config print needs no domain to be named: the compiled-in one is meant", async () => {
  await using folder = await ShopFolder.create("[server]\ntick_interval = 3\n");
  const io = recordingIo({ cwd: folder.folder });
  assertEquals(await main({ domains: { shop: shop() }, args: ["config", "print"], io }), 0);
  assertStringIncludes(io.stdout, "tick_interval = 3");
  assertStringIncludes(io.stdout, 'database_uri = "sqlite:///shop.db"');
});

for (const args of [[], ["--domain=."], ["--domain=./mod.js:domain"], ["--json"]]) {
  Deno.test(`config print ${args.join(" ")} runs no code of the folder (L2)`, async () => {
    await using folder = await ShopFolder.create("[server]\ntick_interval = 3\n");
    await Deno.writeTextFile(`${folder.folder}/mod.js`, "globalThis.wasRun = true; export const domain = 1;");
    const io = recordingIo({ cwd: folder.folder });
    assertEquals(await main({ domains: {}, args: ["config", "print", ...args], io }), 0, io.stderr);
    assertMatch(io.stdout, /tick_interval"?(:| =) 3/);
    assertStringIncludes(io.stdout, "sqlite:///domain.db");
    assertStringIncludes(io.stderr, "files that are named after it are shown as 'domain'");
    assertEquals("wasRun" in globalThis, false);
  });
}

Deno.test("config print says nothing of a domain's name where the file tells every place", async () => {
  await using folder = await ShopFolder.create(
    '[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://u@h/d"\n' +
      '[brokers.default]\nprovider = "redis"\nURI = "redis://h/0"\n',
  );
  await Deno.writeTextFile(`${folder.folder}/mod.js`, "");
  const io = recordingIo({ cwd: folder.folder });
  assertEquals([await main({ domains: {}, args: ["config", "print"], io }), io.stderr], [0, ""]);
});

Deno.test("config schema prints JSON Schema", async () => {
  await using folder = await ShopFolder.create();
  const { code, stdout } = await folder.run(["config", "schema"]);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout).title, "domain.toml");
});
