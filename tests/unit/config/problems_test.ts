import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError } from "../../../lib/errors.ts";
import { load, loadObject, problemsOf, variables } from "./support.ts";

/** Text, then code, dotted key, line and a part of the sentence of the only problem. */
const CASES: readonly (readonly [string, string, string, number, string])[] = [
  ["enable_outbx = true", "CONFIG_UNKNOWN_KEY", "enable_outbx", 1, "did you mean 'enable_outbox'?"],
  ["[databses.default]", "CONFIG_UNKNOWN_KEY", "databses", 1, "did you mean 'databases'?"],
  [
    "[server]\nmessages_per_tik = 5",
    "CONFIG_UNKNOWN_KEY",
    "server.messages_per_tik",
    2,
    "(current value is 5); did you mean 'messages_per_tick'?",
  ],
  [
    "[server.partitioning]\nlease_ttl_ms = 5000\nheartbeat_interval_seconds = 2.6",
    "CONFIG_INVALID_VALUE",
    "server.partitioning.heartbeat_interval_seconds",
    3,
    "must be at most half of 'server.partitioning.lease_ttl_ms', which is 5000",
  ],
  [
    "[server.partitioning]\nheartbeat_interval_seconds = 7.6",
    "CONFIG_INVALID_VALUE",
    "server.partitioning.heartbeat_interval_seconds",
    2,
    "which is 15000",
  ],
  [
    "[server.partitioning]\npoll_interval_seconds = 0",
    "CONFIG_INVALID_VALUE",
    "server.partitioning.poll_interval_seconds",
    2,
    "above 0",
  ],
  ["[server.dlg]", "CONFIG_UNKNOWN_KEY", "server.dlg", 1, "did you mean 'dlq'?"],
  ["[dlq]\nenabled = true", "CONFIG_UNKNOWN_KEY", "dlq", 1, "did you mean 'server.dlq'?"],
  ["[zzz]\nyyy = 1", "CONFIG_UNKNOWN_KEY", "zzz", 1, "Unknown key 'zzz'."],
  [
    '[databases.default]\nprovider = "memory"\npol_size = 3',
    "CONFIG_UNKNOWN_KEY",
    "databases.default.pol_size",
    3,
    "did you mean 'pool_size'?",
  ],
  [
    '[brokers.default]\nprovider = "redis"\nURI = "redis://h"\nmax_conections = 3',
    "CONFIG_UNKNOWN_KEY",
    "brokers.default.max_conections",
    4,
    "did you mean 'max_connections'?",
  ],
  [
    '[brokers.default]\nprovider = "redis"',
    "CONFIG_MISSING_KEY",
    "brokers.default.URI",
    1,
    "'brokers.default.URI' is missing",
  ],
  [
    '[caches.default]\nprovider = "redis"\nuri = "redis://h"\nURI = "redis://h"',
    "CONFIG_UNKNOWN_KEY",
    "caches.default.uri",
    3,
    "did you mean 'URI'?",
  ],
  [
    '[databases.default]\nprovider = "postgresql"',
    "CONFIG_MISSING_KEY",
    "databases.default.database_uri",
    1,
    "needs to know where its server is",
  ],
  [
    '[brokers.default]\nprovider = "redis"\nURI = "redis://h/0\\n"',
    "CONFIG_BAD_URI",
    "brokers.default.URI",
    3,
    "'brokers.default.URI' ends with a line break: remove it",
  ],
  [
    '[databases.default]\nprovider = "sqlite"\ndatabase_uri = "sqlite:///shop.db "',
    "CONFIG_BAD_URI",
    "databases.default.database_uri",
    3,
    "ends with a blank",
  ],
  [
    '[caches.default]\nprovider = "redis"\nURI = "rediss://h"\ntls_ca_file = "nowhere.pem"',
    "CONFIG_TLS_FILE",
    "caches.default.tls_ca_file",
    4,
    "nowhere.pem' that 'caches.default.tls_ca_file' names does not exist",
  ],
  [
    '[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://a:p@h/d?sslrootcert=no.pem"',
    "CONFIG_TLS_FILE",
    "databases.default.database_uri",
    3,
    "no.pem' that sslrootcert in 'databases.default.database_uri' names does not exist",
  ],
  ...([
    ["pool_size", "0"],
    ["pool_size", "-3"],
    ["pool_size", '"many"'],
    ["pool_size", "2.5"],
    ["pool_size", "inf"],
    ["pool_size", "[]"],
    ["max_overflow", "-2"],
    ["max_overflow", "nan"],
    ["overflow_idle_seconds", "-1"],
    ["overflow_idle_seconds", '"soon"'],
    ["pool_timeout", "-1"],
    ["pool_recycle", "-2"],
  ] as const).map(([key, value]) =>
    [
      `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://a@h/d"\n${key} = ${value}`,
      /^["[]/.test(value) ? "CONFIG_WRONG_TYPE" : "CONFIG_INVALID_VALUE",
      `databases.default.${key}`,
      4,
      "must be",
    ] as const
  ),
  ...([["max_connections", "0"], ["socket_timeout", "0"], ["socket_connect_timeout", "-1"]] as const).map((
    [key, value],
  ) =>
    [
      `[brokers.default]\nprovider = "redis"\nURI = "redis://h"\n${key} = ${value}`,
      "CONFIG_INVALID_VALUE",
      `brokers.default.${key}`,
      4,
      "must be",
    ] as const
  ),
  ["[databases.other]\npool_size = 5", "CONFIG_MISSING_KEY", "databases.other.provider", 1, "is missing"],
  [
    '[databases.default]\ndatabase_uri = "postgresql://h/db"',
    "CONFIG_MISSING_KEY",
    "databases.default.provider",
    1,
    "is missing",
  ],
  [
    '[event_store]\nprovider = "message_db"',
    "CONFIG_MISSING_KEY",
    "event_store.database_uri",
    1,
    "is missing",
  ],
  [
    '[server]\ndefault_subscription_type = "steam"',
    "CONFIG_INVALID_VALUE",
    "server.default_subscription_type",
    2,
    "must be one of 'stream', 'event_store': current value is \"steam\"; did you mean 'stream'?",
  ],
  [
    '[server]\ndefault_subscription_profile = "productoin"',
    "CONFIG_UNKNOWN_PROFILE",
    "server.default_subscription_profile",
    2,
    "did you mean 'production'?",
  ],
  [
    '[server.subscriptions.Audit]\nprofile = "fst"',
    "CONFIG_UNKNOWN_PROFILE",
    "server.subscriptions.Audit.profile",
    2,
    "did you mean 'fast'?",
  ],
  [
    "[server.subscriptions.Audit]\nmax_retris = 1",
    "CONFIG_UNKNOWN_KEY",
    "server.subscriptions.Audit.max_retris",
    2,
    "did you mean 'max_retries'?",
  ],
  [
    '[server]\nmessages_per_tick = "many"',
    "CONFIG_WRONG_TYPE",
    "server.messages_per_tick",
    2,
    'must be a whole number of at least 1: current value is "many".',
  ],
  [
    '[server.health]\nport = "80.5"',
    "CONFIG_INVALID_VALUE",
    "server.health.port",
    2,
    "must be a whole number from 0 to 65535",
  ],
  ["[server.health]\nport = 80.5", "CONFIG_INVALID_VALUE", "server.health.port", 2, "current value is 80.5."],
  ["[server.health]\nport = 65536", "CONFIG_INVALID_VALUE", "server.health.port", 2, "from 0 to 65535"],
  ['[server.dlq]\nenabled = "yes"', "CONFIG_WRONG_TYPE", "server.dlq.enabled", 2, "must be true or false"],
  ["[server.dlq]\nretention_hours = 0", "CONFIG_INVALID_VALUE", "server.dlq.retention_hours", 2, "above 0"],
  [
    "[server.dlq]\nretention_hours = inf",
    "CONFIG_INVALID_VALUE",
    "server.dlq.retention_hours",
    2,
    "Infinity",
  ],
  [
    "[server.dlq]\nretention_hours = -0.5",
    "CONFIG_INVALID_VALUE",
    "server.dlq.retention_hours",
    2,
    "above 0",
  ],
  ["[server.dlq]\nretention_hours = nan", "CONFIG_INVALID_VALUE", "server.dlq.retention_hours", 2, "NaN"],
  ["server = 5", "CONFIG_WRONG_TYPE", "server", 1, "'server' must be a table: current value is 5."],
  ["[server]\ndlq = []", "CONFIG_WRONG_TYPE", "server.dlq", 2, "must be a table: current value is []."],
  ["databases = false", "CONFIG_WRONG_TYPE", "databases", 1, "must be a table"],
  ["[databases]\ndefault = 1", "CONFIG_WRONG_TYPE", "databases.default", 2, "must be a table"],
  ["event_store = 1", "CONFIG_WRONG_TYPE", "event_store", 1, "must be a table"],
  [
    '[outbox]\nexternal_brokers = ["default", 5]',
    "CONFIG_WRONG_TYPE",
    "outbox.external_brokers[1]",
    2,
    "must be text",
  ],
  [
    '[outbox]\nexternal_brokers = [\n  "default",\n  "defalt",\n]',
    "CONFIG_INVALID_VALUE",
    "outbox.external_brokers[1]",
    4,
    "did you mean 'default'?",
  ],
  ['[outbox]\nbroker = "kafka"', "CONFIG_INVALID_VALUE", "outbox.broker", 2, "must name one of [brokers]"],
  [
    'enable_outbox = true\n[server]\ndefault_subscription_type = "event_store"',
    "CONFIG_INVALID_VALUE",
    "enable_outbox",
    1,
    "event_store",
  ],
  [
    "[caches.default]\nTTL = 0",
    "CONFIG_INVALID_VALUE",
    "caches.default.TTL",
    2,
    "must be a number above 0: current value is 0.",
  ],
  [
    '[caches.default]\nTTL = "soon"',
    "CONFIG_WRONG_TYPE",
    "caches.default.TTL",
    2,
    'must be a number above 0: current value is "soon".',
  ],
  [
    '[server.priority_lanes]\nbackfill_suffix = ""',
    "CONFIG_INVALID_VALUE",
    "server.priority_lanes.backfill_suffix",
    2,
    "text that is not empty",
  ],
  ["[server]\npriority_lanes = true", "CONFIG_WRONG_TYPE", "server.priority_lanes", 2, "must be a table"],
  ['[server.metrics]\npath = "metrics"', "CONFIG_INVALID_VALUE", "server.metrics.path", 2, "begins with '/'"],
  ['[server.metrics]\npath = "/livez"', "CONFIG_INVALID_VALUE", "server.metrics.path", 2, "which is a probe"],
  ['[server.metrics]\npath = "/m?x"', "CONFIG_INVALID_VALUE", "server.metrics.path", 2, "without '?'"],
  ...["['a']", "{ a = 1 }", "1979-05-27T07:32:00Z"].map((value) =>
    [
      `[telemetry.resource_attributes]\nteam = ${value}`,
      "CONFIG_WRONG_TYPE",
      "telemetry.resource_attributes.team",
      2,
      "must be",
    ] as const
  ),
  [
    '[telemetry]\nexporter = "oltp"',
    "CONFIG_INVALID_VALUE",
    "telemetry.exporter",
    2,
    "did you mean 'otlp'?",
  ],
  ['[logging]\nlevel = "wanring"', "CONFIG_INVALID_VALUE", "logging.level", 2, "did you mean 'warning'?"],
  [
    '[server]\ntick_interval = "${TICK}"',
    "CONFIG_UNRESOLVED_ENV_VAR",
    "server.tick_interval",
    2,
    "Environment variable 'TICK' is not set",
  ],
  [
    'custom = { a = [{ b = "${PASSWORD_X}" }] }',
    "CONFIG_UNRESOLVED_ENV_VAR",
    "custom.a[0].b",
    1,
    "'PASSWORD_X'",
  ],
  ["[custom]\nconstructor = 1", "CONFIG_UNKNOWN_KEY", "custom.constructor", 2, "may not have this name"],
  ["[custom]\n__proto__ = { a = 1 }", "CONFIG_UNKNOWN_KEY", "custom.__proto__", 2, "may not have this name"],
];

for (const [text, code, key, line, sentence] of CASES) {
  Deno.test(`refused: ${text.replaceAll("\n", " ")}`, async () => {
    const [problem, ...others] = await problemsOf(load(text));
    assertEquals(others, []);
    assertEquals([problem?.code, problem?.key, problem?.file, problem?.line], [
      code,
      key,
      "domain.toml",
      line,
    ]);
    assertStringIncludes(problem?.message ?? "", sentence);
    const error = await assertRejects(() => load(text), ConfigurationError, `domain.toml:${line}: `);
    assertEquals(error.code, code);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("everything that is wrong is told at once, in the order of the lines (CFG-1)", async () => {
  const text = `
enable_outbx = true
[server]
default_subscription_type = "steam"
messages_per_tick = 0
[server.health]
port = "\${PORT}"
[brokers.default]
provider = "redis"
[outbox]
broker = "other"
[server.profiles.fast]
foo = 1
`;
  const error = await assertRejects(
    () => load(text),
    ConfigurationError,
    "The configuration has 8 problems:",
  );
  assertEquals(error.problems.map(({ line, code }) => [line, code]), [
    [2, "CONFIG_UNKNOWN_KEY"],
    [4, "CONFIG_INVALID_VALUE"],
    [5, "CONFIG_INVALID_VALUE"],
    [7, "CONFIG_UNRESOLVED_ENV_VAR"],
    [8, "CONFIG_MISSING_KEY"],
    [11, "CONFIG_INVALID_VALUE"],
    [12, "CONFIG_INVALID_VALUE"],
    [13, "CONFIG_UNKNOWN_KEY"],
  ]);
  for (const { line, message } of error.problems) {
    assertStringIncludes(error.message, `\n  domain.toml:${line}: ${message}`);
  }
});

Deno.test("secrets do not appear in errors, whatever is wrong with them (CFG-4)", async () => {
  const text = `
[databases.default]
provider = "postgresql"
database_uri = ["postgresql://u:hunter2@h/db"]
pasword = "hunter2"
[idempotency]
ttl = "redis://:hunter2@h"
[observatory]
token = ["hunter2"]
[server.dlq]
alert_webhok = "https://hooks/hunter2"
[secret_keys]
a = "hunter2"
`;
  const error = await assertRejects(() => load(text), ConfigurationError);
  assertEquals(error.problems.length, 6);
  for (const { message } of error.problems) assert(!message.includes("hunter2"), message);
});

Deno.test("a configuration given in code is judged by the same rules, without a file", async () => {
  const [problem] = await problemsOf(loadObject({ server: { messages_per_tik: 5 } }));
  assertEquals(problem, {
    code: "CONFIG_UNKNOWN_KEY",
    key: "server.messages_per_tik",
    message: "Unknown key 'server.messages_per_tik' (current value is 5); did you mean 'messages_per_tick'?",
  });
  await assertRejects(
    () => loadObject([] as unknown as Record<string, unknown>),
    ConfigurationError,
    "plain object",
  );
});

Deno.test("texts that are wholly a number or a truth value are taken as such, others are not (design 6)", async () => {
  const environment = variables({ PORT: "9090", ON: "True", TICK: "0.5", TTL: " 60 ", NONE: "" });
  const { config } = await load(
    `
[server]
tick_interval = "\${TICK}"
[server.health]
port = "\${PORT}"
port_auto_increment = "\${ON}"
[caches.default]
TTL = "\${TTL}"
[caches.other]
provider = "memory"
TTL = "\${NONE}"
[custom]
port = "\${PORT}"
[telemetry.resource_attributes]
port = "\${PORT}"
`,
    { variables: environment },
  );
  assertEquals([config.server.tick_interval, config.server.health.port], [0.5, 9090]);
  assertEquals(config.server.health.port_auto_increment, true);
  assertEquals([config.caches["default"]?.TTL, config.caches["other"]?.TTL], [60, 300]);
  // What is not known to be a number stays text.
  assertEquals(config.custom, { port: "9090" });
  assertEquals(config.telemetry.resource_attributes, { port: "9090" });

  for (const value of ["", " ", "1e3", "0x10", "1_000", "ten", "NaN", "Infinity", "1.5", "-1"]) {
    const problems = await problemsOf(load(`[server]\nmessages_per_tick = "${value}"`));
    assertEquals(problems.map(({ key }) => key), ["server.messages_per_tick"], value);
  }
});

Deno.test("a configuration given in code is not substituted, as upstream", async () => {
  const { config } = await loadObject({ custom: { a: "${A}" } });
  assertEquals(config.custom, { a: "${A}" });
});

Deno.test("the text of an unknown key is not repeated unless it is a number, a truth value or a word of ours (M7)", async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['seckey = "SECRET"', "Unknown key 'seckey'"],
    ['[databases.default]\nprovider = "memory"\npasswrd = "SECRET"', "'databases.default.passwrd'"],
    ['server.dlq.alert = "https://hooks/SECRET"', "'server.dlq.alert'"],
    ['server.seckeys = ["SECRET"]', "'server.seckeys'"],
    ["server.mesages_per_tick = 5", "(current value is 5)"],
    ['[logging]\nformt = "json"', '(current value is "json")'],
  ];
  for (const [text, part] of cases) {
    const problems = await problemsOf(load(text));
    const told = problems.map(({ message }) => message).join(" ");
    assertStringIncludes(told, part);
    assertEquals(told.includes("SECRET"), false, told);
  }
});

Deno.test("what cannot be right in [alerts] is told with its key, and a webhook without its address", async () => {
  for (
    const [text, key, sentence] of [
      ['webhook = "hooks.example/SECRET"', "alerts.webhook", "begins with http:// or https://"],
      ['webhook = "https://"', "alerts.webhook", "begins with http:// or https://"],
      ["repeat_seconds = -1", "alerts.repeat_seconds", "a number of at least 0"],
      ["[alerts.rules.oldest_age]\nthreshold = 0", "alerts.rules.oldest_age.threshold", "a number above 0"],
      ["[alerts.rules.check]\nthreshold = 1", "alerts.rules.check.threshold", ""],
      ["[alerts.rules.dlq_depth]\nfor_seconds = 1", "alerts.rules.dlq_depth.for_seconds", ""],
      ["[alerts.rules.check]\nsubjects = []", "alerts.rules.check.subjects", ""],
      ["[alerts.rules.chek]\nenabled = true", "alerts.rules.chek", "did you mean"],
    ] as const
  ) {
    const problems = await problemsOf(load(`[alerts]\n${text}`));
    assertEquals(problems.map(({ key }) => key), [key], text);
    assertStringIncludes(problems[0]?.message ?? "", sentence);
    assert(!problems[0]?.message.includes("SECRET"));
  }
});
