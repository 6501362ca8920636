import { assertEquals, assertRejects } from "@std/assert";
import fc from "../../support/property.ts";
import { stringify } from "@std/toml";
import { ConfigurationError } from "../../../lib/errors.ts";
import { load, loadObject, problemsOf, variables } from "./support.ts";

const BASE = `
secret_key = "s3cret"
event_processing = "sync"

[databases.default]
provider = "memory"

[server]
messages_per_tick = 7

[staging]
event_processing = "async"

[staging.databases.default]
provider = "sqlite"
`;

Deno.test("an overlay changes what it names and nothing else (S22)", async () => {
  const { config, origins } = await load(BASE, { env: "staging" });
  assertEquals(config.event_processing, "async");
  assertEquals(config.databases["default"]?.provider, "sqlite");
  assertEquals(config.secret_key, "s3cret");
  assertEquals(config.server.messages_per_tick, 7);
  assertEquals(origins.get("event_processing"), {
    kind: "overlay",
    path: ["event_processing"],
    file: "domain.toml",
    line: 12,
    env: "staging",
  });
  assertEquals(origins.get("databases.default.provider")?.line, 15);
  assertEquals(origins.get("server.messages_per_tick")?.kind, "file");
});

Deno.test("without an environment, or in another one, the base holds (S22)", async () => {
  for (const env of [undefined, "", "production"]) {
    const { config } = await load(BASE, env === undefined ? {} : { env });
    assertEquals([config.event_processing, config.databases["default"]?.provider], ["sync", "memory"]);
  }
});

Deno.test("PROTEAN_ENV names the environment unless the caller does", async () => {
  const staging = variables({ PROTEAN_ENV: "staging" });
  assertEquals((await load(BASE, { variables: staging })).config.event_processing, "async");
  assertEquals((await load(BASE, { variables: staging, env: "other" })).config.event_processing, "sync");
});

Deno.test("overlays apply to a configuration given in code as well", async () => {
  const { config, origins } = await loadObject(
    { server: { tick_interval: 1 }, test: { server: { tick_interval: 2 } } },
    { env: "test" },
  );
  assertEquals(config.server.tick_interval, 2);
  assertEquals(origins.get("server.tick_interval")?.kind, "code");
});

Deno.test("an unknown top-level table is an overlay if it is the environment's or all its keys are known", async () => {
  const cases: readonly (readonly [string, string | undefined, string[]])[] = [
    ["[staging.server]\ntick_interval = 1\n", undefined, []],
    ["[staging]\n", undefined, []],
    ["[staging.logging]\n[staging.telemetry]\n", "production", []],
    ["[anything]\ntypo = 1\n", undefined, ["anything"]],
    ["[anything.typo]\n", "anything", ["anything.typo"]],
    ["[servr.health]\nport = 1\n", undefined, ["servr"]],
    ["[servr]\nserver = 1\ntypo = 2\n", undefined, ["servr"]],
    ["staging = 5\n", "staging", ["staging"]],
    ["staging = []\n", undefined, ["staging"]],
    ["[staging.server]\n[staging.databses]\n", undefined, ["staging.databses"]],
    ["[staging.server]\ntick = 1\n", undefined, ["staging.server.tick"]],
  ];
  for (const [text, env, expected] of cases) {
    const loading = load(text, env === undefined ? {} : { env });
    const keys = expected.length === 0
      ? await loading.then((): string[] => [])
      : (await problemsOf(loading)).map(({ key }) => key);
    assertEquals(keys, expected, `${env}: ${text}`);
  }
});

Deno.test("a known section is never taken for an overlay, even if the environment has its name", async () => {
  const { config } = await load("[server]\ntick_interval = 3\n", { env: "server" });
  assertEquals(config.server.tick_interval, 3);
});

Deno.test("what is wrong in the overlay in use is told with the overlay's line", async () => {
  const problems = await problemsOf(
    load("[server]\ntick_interval = 1\n\n[ci.server]\ntick_interval = -1\n", { env: "ci" }),
  );
  assertEquals(problems.map(({ key, line }) => [key, line]), [["server.tick_interval", 5]]);
});

Deno.test("an overlay may mend what is wrong or missing in the base", async () => {
  const { config } = await load('[server]\ntick_interval = "${UNSET}"\n[ci.server]\ntick_interval = 2\n', {
    env: "ci",
  });
  assertEquals(config.server.tick_interval, 2);
});

Deno.test("an environment that differs from an overlay's name by a slip is warned about", async () => {
  const text = "[production.server]\ntick_interval = 1\n";
  const [warning] = (await load(text, { env: "prod" })).warnings;
  assertEquals(warning?.code, "CONFIG_UNKNOWN_ENVIRONMENT");
  assertEquals(warning?.message.includes("did you mean 'production'?"), true);
  assertEquals((await load(text, { env: "development" })).warnings, []);
});

Deno.test("overlay precedence: overlay, then base, then default, for any mixture of keys", async () => {
  const keys = ["messages_per_tick", "drain_timeout_seconds", "tick_interval"] as const;
  const some = fc.record(
    Object.fromEntries(keys.map((key) => [key, fc.integer({ min: 1, max: 1000 })])),
    { requiredKeys: [] },
  ) as fc.Arbitrary<Partial<Record<(typeof keys)[number], number>>>;
  const { config: defaults } = await load("");
  await fc.assert(
    fc.asyncProperty(some, some, some, async (base, overlay, other) => {
      const text = stringify({ server: base, live: { server: overlay }, other: { server: other } });
      const { config, origins } = await load(text, { env: "live" });
      for (const key of keys) {
        assertEquals(config.server[key], overlay[key] ?? base[key] ?? defaults.server[key]);
        const kind = key in overlay ? "overlay" : key in base ? "file" : undefined;
        assertEquals(origins.get(`server.${key}`)?.kind, kind);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("an overlay replaces lists and scalars as a whole", async () => {
  const { config } = await load(
    '[logging]\nredact = ["a", "b"]\n[live.logging]\nredact = ["c"]\n',
    { env: "live" },
  );
  assertEquals(config.logging.redact, ["c"]);
  await assertRejects(
    () => load("[live]\nserver = 5\n", { env: "live" }),
    ConfigurationError,
    "'server' must be a table",
  );
});
