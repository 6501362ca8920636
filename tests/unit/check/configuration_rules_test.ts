import { assertEquals, assertStringIncludes } from "@std/assert";
import { checked, database, found, SERVERS } from "./support.ts";

/** What is right in production. */
const PRODUCTION = `${SERVERS}
[server.dlq]
enabled = true
alert_webhook = "\${WEBHOOK|https://hooks.example}"
`;

Deno.test("a domain on servers, with its secrets in the environment, passes in production", async () => {
  const variables = {
    DATABASE_URL: "postgresql://shop:hunter2@db.example/shop",
    WEBHOOK: "https://hooks.example/x",
  };
  const { findings } = await checked(
    database("pool_size = 10").replace(
      "[brokers",
      "[server.dlq]\nenabled = true\n[server.stream_subscription]\nretention_maxlen = 9\n[brokers",
    ),
    { env: "production", variables },
  );
  assertEquals(findings, []);
});

for (const env of ["production", "prod", "prd", "PROD"]) {
  Deno.test(`embedded adapters are told in ${env}`, async () => {
    const sections = (await found("EMBEDDED_IN_PRODUCTION", "", { env })).map(({ key }) => key);
    assertEquals(sections, [
      "brokers.default.provider",
      "caches.default.provider",
      "databases.default.provider",
      "event_store.provider",
    ]);
  });
}

for (const env of [undefined, "staging", "development"]) {
  Deno.test(`production alone is meant: nothing is told in ${env}`, async () => {
    const surroundings = env === undefined ? {} : { env };
    assertEquals(await found("EMBEDDED_IN_PRODUCTION", "", surroundings), []);
    assertEquals(await found("DLQ_MAINTENANCE_OFF", "", surroundings), []);
  });
}

Deno.test("dead letters that nobody trims are told in production", async () => {
  assertEquals((await found("DLQ_MAINTENANCE_OFF", SERVERS, { env: "prod" })).length, 1);
  assertEquals(await found("DLQ_MAINTENANCE_OFF", PRODUCTION, { env: "prod" }), []);
  const without = `${SERVERS}[server.stream_subscription]\nenable_dlq = false\n`;
  assertEquals(await found("DLQ_MAINTENANCE_OFF", without, { env: "prod" }), []);
});

for (const host of ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"]) {
  Deno.test(`a health listener at ${host} is out of reach in production`, async () => {
    const toml = `[server.health]\nhost = "${host}"\n`;
    assertEquals((await found("HEALTH_UNREACHABLE", toml, { env: "production" }))[0]?.line, 2);
    assertEquals(await found("HEALTH_UNREACHABLE", toml), []);
  });
}

Deno.test("the default of the health listener's host is right in a pod", async () => {
  assertEquals(await found("HEALTH_UNREACHABLE", "", { env: "production" }), []);
  const off = '[server.health]\nenabled = false\nhost = "127.0.0.1"\n';
  assertEquals(await found("HEALTH_UNREACHABLE", off, { env: "production" }), []);
});

const secrets: readonly (readonly [written: string, isPlain: boolean])[] = [
  ["postgresql://shop:hunter2@db.example/shop", true],
  ["postgresql://shop:hunter2@${HOST|db.example}/shop", true],
  ["postgresql://shop@db.example/shop?password=hunter2", true],
  ["${DATABASE_URL|postgresql://shop:hunter2@db.example/shop}", true],
  ["${DATABASE_URL|postgresql://shop@db.example/shop}", false],
  ["postgresql://shop:${PASSWORD}@db.example/shop", false],
  ["postgresql://${USER}:${PASSWORD}@db.example/shop", false],
  ["postgresql://shop@db.example:5432/shop", false],
  ["postgresql://db.example/shop", false],
];
for (const [written, isPlain] of secrets) {
  Deno.test(`${written.replace("hunter2", "***")} ${isPlain ? "holds" : "holds no"} secret in plain text`, async () => {
    const toml = `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${written}"\n`;
    const variables = { PASSWORD: "hunter3", USER: "u" };
    const told = await found("PLAINTEXT_SECRET", toml, { variables });
    assertEquals(told.map(({ line }) => line), isPlain ? [3] : []);
    assertEquals(JSON.stringify(told).includes("hunter"), false);
    assertEquals(await found("PLAINTEXT_SECRET", toml, { variables, env: "testing" }), []);
  });
}

Deno.test("the value of a key that names a secret is one, and what it is read from is none", async () => {
  const toml = `secret_key = "hunter2"
[server.dlq]
enabled = true
alert_webhook = "https://hooks.example/hunter2"
[observatory]
token = "\${TOKEN}"
[custom]
api_key = "hunter2"
password_file = "/run/secrets/password"
`;
  const told = await found("PLAINTEXT_SECRET", toml, { variables: { TOKEN: "hunter3" } });
  assertEquals(told.map(({ key }) => key), ["custom.api_key", "secret_key", "server.dlq.alert_webhook"]);
});

Deno.test("a callback that cannot be loaded fails the check (DLQ-7)", async () => {
  const toml = '[server.dlq]\nenabled = true\nalert_callback = "./nowhere.js#onAlert"\n';
  const [told] = await found("CONFIG_UNLOADABLE_FUNCTION", toml);
  assertEquals([told?.level, told?.line], ["error", 3]);
  assertStringIncludes(told?.message ?? "", "nowhere.js");
});

Deno.test("keys that Python alone reads are notes (design 6)", async () => {
  const told = await found("CONFIG_PYTHON_ONLY", 'testing = true\nidentity_strategy = "uuid"\n');
  assertEquals(told.map(({ key, level, line }) => [key, level, line]), [
    ["identity_strategy", "info", 2],
    ["testing", "info", 1],
  ]);
});

Deno.test("[lint] level and suppressions have their effect, its other keys are told", async () => {
  const toml = '[lint]\nlevel = "error"\naggregate_size_limit = 3\n[lint.suppressions]\nUNUSED_COMMAND = 1\n';
  assertEquals((await found("CONFIG_NO_EFFECT", toml)).map(({ key }) => key), ["lint.aggregate_size_limit"]);
});

const wrong: readonly (readonly [toml: string, code: string])[] = [
  ['[databases.default]\nprovider = "postgresql"\ndatabase_uri = "mysql://h/d"\n', "CONFIG_BAD_URI"],
  [
    '[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://h:99999/d"\n',
    "CONFIG_BAD_URI",
  ],
  ['[brokers.default]\nprovider = "redis"\nURI = "http://h/0"\n', "CONFIG_BAD_URI"],
  ['[brokers.default]\nprovider = "kafka"\n', "CONFIG_UNKNOWN_ADAPTER"],
  ['[caches.default]\nprovider = "./nowhere.js"\n', "CONFIG_UNKNOWN_ADAPTER"],
];
for (const [toml, code] of wrong) {
  Deno.test(`what an adapter refuses breaks the configuration: ${code} of ${toml.split("\n")[2]}`, async () => {
    const { findings, isBroken } = await checked(toml);
    const told = findings.filter(({ level }) => level === "error");
    assertEquals([isBroken, told.length > 0], [true, true]);
    assertEquals(told[0]?.line, toml.includes("URI") || toml.includes("uri") ? 3 : 2);
    assertEquals(
      told.every((one) => one.code === code || one.code === "CONFIG_UNLOADABLE_FUNCTION"),
      true,
      JSON.stringify(told),
    );
  });
}

Deno.test("a suppression that names no rule is a note, with the one that may be meant", async () => {
  const [told] = await found(
    "CONFIG_NO_EFFECT",
    "[lint.suppressions]\nLOW_POOL_SIZ = 1\nUNUSED_COMMAND = 1\n",
  );
  assertEquals([told?.level, told?.key, told?.line], ["info", "lint.suppressions.LOW_POOL_SIZ", 2]);
  assertStringIncludes(told?.message ?? "", "did you mean 'LOW_POOL_SIZE'?");
});

Deno.test("a suppression leaves out so many findings, by element and key, and no more", async () => {
  const second =
    `${SERVERS}[databases.more]\nprovider = "postgresql"\ndatabase_uri = "postgresql://more.example/d"\n` +
    "pool_size = 1\n";
  const toml = (count: number) =>
    `${second}[lint.suppressions]\nLOW_POOL_SIZE = ${count}\n`.replace("[brokers", "pool_size = 1\n[brokers");
  assertEquals((await found("LOW_POOL_SIZE", toml(0))).length, 2);
  assertEquals((await found("LOW_POOL_SIZE", toml(1))).map(({ key }) => key), ["databases.more.pool_size"]);
  assertEquals(await found("LOW_POOL_SIZE", toml(2)), []);
});
