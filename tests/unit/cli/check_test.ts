import sarifSchema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" with { type: "json" };
import Draft04 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Domain } from "@protean/server";
import { main } from "../../../lib/cli/mod.ts";
import { ShopFolder } from "./shop.ts";
import { recordingIo } from "./support.ts";

const SERVERS = `[databases.default]
provider = "postgresql"
database_uri = "postgresql://shop@db.example/shop"
[brokers.default]
provider = "redis"
URI = "redis://redis.example/0"
[server.stream_subscription]
retention_maxlen = 1000
`;
const LOW = SERVERS.replace("[brokers", "pool_size = 2\n[brokers");
const LINT = (level: string) => `${LOW}[lint]\nlevel = "${level}"\n`;

async function checked(args: readonly string[], toml = SERVERS, env: Record<string, string> = {}) {
  await using folder = await ShopFolder.create(toml);
  return await folder.run(["check", ...args], { env });
}

Deno.test("check of what is right is exit 0 and says so (wire 8.4)", async () => {
  const { code, stdout, stderr } = await checked([]);
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.startsWith("\n  Domain: shop  PASS\n"), stdout);
  assertStringIncludes(stdout, "  All checks passed.\n");
  assertStringIncludes(stdout, "1 × (5 + 10) = 15 connections");
});

Deno.test("a warning is exit 1, shown with its place, its remedy and the line that mends it", async () => {
  const { code, stdout } = await checked([], LOW);
  assertEquals(code, 1);
  assertStringIncludes(stdout, "  Domain: shop  WARN\n  1 warning(s)\n\n  Warnings (1):\n");
  assertStringIncludes(stdout, "    ! LOW_POOL_SIZE: domain.toml:4: Database 'default' has pool_size 2");
  assertStringIncludes(stdout, "        as in: pool_size = 10\n");
});

const gates: readonly (readonly [toml: string, code: number])[] = [
  [LINT("error"), 0],
  [LINT("warn"), 1],
  [LINT("warning"), 1],
  [LINT("info"), 1],
  [`${SERVERS}[lint]\nlevel = "info"\n`, 0],
  [`testing = true\n${SERVERS}[lint]\nlevel = "info"\n`, 1],
  [`testing = true\n${SERVERS}`, 0],
  [`${LOW}[lint.suppressions]\nLOW_POOL_SIZE = 1\n`, 0],
  [`${LOW}[lint.suppressions]\nLOW_POOL_SIZE = 0\n`, 1],
  ['[server.dlq]\nenabled = true\nalert_callback = "./none.js"\n[lint]\nlevel = "error"\n', 1],
  [
    '[server.dlq]\nenabled = true\nalert_callback = "./none.js"\n[lint.suppressions]\nCONFIG_UNLOADABLE_FUNCTION = 9\n',
    1,
  ],
];
for (const [toml, code] of gates) {
  Deno.test(`[lint] decides what fails a build: exit ${code} of ${JSON.stringify(toml.split("\n").slice(-4).join("|"))}`, async () => {
    assertEquals((await checked([], toml)).code, code);
  });
}

Deno.test("--level is about what is shown, not about what fails", async () => {
  const { code, stdout } = await checked(["--level=error"], LOW);
  assertEquals([code, stdout.includes("LOW_POOL_SIZE")], [1, false]);
  assertStringIncludes(stdout, "below --level");
});

Deno.test("--quiet is one line (wire 8.4)", async () => {
  assertEquals((await checked(["--quiet"], LOW)).stdout, "shop: warn (errors=0, warnings=1, infos=0)\n");
  assertEquals((await checked(["-q"])).stdout, "shop: pass (errors=0, warnings=0, infos=0)\n");
});

for (const args of [["--format", "json"], ["--format=json"], ["-f", "json"], ["--json"]]) {
  Deno.test(`check ${args.join(" ")} is the house envelope with the keys of the reference (wire 8.4)`, async () => {
    const { code, stdout } = await checked(args, LOW);
    const { version, status, data, diagnostics } = JSON.parse(stdout);
    assertEquals([code, version, status, data.domain, data.status], [1, "0.1.0", "fail", "shop", "warn"]);
    assertEquals([data.counts, data.errors], [{ errors: 0, warnings: 1, infos: 0 }, []]);
    const [
      { code: rule, level, category, element, field, location, rule: texts, suggestion, resolving_operation },
    ] = diagnostics;
    assertEquals([rule, level, category], ["LOW_POOL_SIZE", "warning", "pools"]);
    assertEquals([element, field], ["databases.default", "databases.default.pool_size"]);
    assertEquals(location, { file: "domain.toml", line: 4 });
    assert(texts.rationale && texts.fix && suggestion);
    assertEquals(resolving_operation.display, "pool_size = 10");
    assertStringIncludes(data.connections[0].arithmetic, "1 × (2 + 10) = 12 connections");
  });
}

Deno.test("what gates nothing is status pass, also with findings", async () => {
  const { status, data } = JSON.parse((await checked(["--json"], LINT("error"))).stdout);
  assertEquals([status, data.status], ["pass", "warn"]);
});

const BROKEN = "[server]\nmessages_per_tik = 5\ntick_interval = -1\n[lint]\nlevel = 7\n";

Deno.test("a configuration that cannot be loaded is exit 2, everything at once, in every format", async () => {
  const human = await checked([], BROKEN);
  assertEquals([human.code, human.stdout], [2, ""]);
  assertStringIncludes(human.stderr, "domain.toml:2: Unknown key 'server.messages_per_tik'");
  const json = await checked(["--format=json"], BROKEN);
  const { status, data, diagnostics } = JSON.parse(json.stdout);
  assertEquals([json.code, status], [2, "error"]);
  assertStringIncludes(data.error, "3 problems");
  assertEquals(
    diagnostics.map((one: Record<string, unknown>) => [one["code"], one["level"], one["line"]]),
    [["CONFIG_UNKNOWN_KEY", "error", 2], ["CONFIG_INVALID_VALUE", "error", 3], [
      "CONFIG_INVALID_VALUE",
      "error",
      5,
    ]],
  );
  assert(diagnostics[0].rule.rationale);
  const github = await checked(["--format=github-annotations"], BROKEN);
  assertEquals(github.code, 2);
  assertEquals(github.stdout.split("\n").length, 4);
  const sarif = await checked(["--format=sarif"], BROKEN);
  const [run] = JSON.parse(sarif.stdout).runs;
  assertEquals([sarif.code, run.results.length, run.invocations[0].executionSuccessful], [2, 3, false]);
  assertSarif(sarif.stdout);
});

Deno.test("an adapter that refuses its settings is exit 2 too, beside everything else", async () => {
  const { code, stdout } = await checked(["--json"], LOW.replace("redis://", "http://"));
  const { status, diagnostics } = JSON.parse(stdout);
  const codes = new Set(diagnostics.map((one: { code: string }) => one.code));
  assertEquals([code, status, codes], [2, "error", new Set(["CONFIG_BAD_URI", "LOW_POOL_SIZE"])]);
});

Deno.test("a domain that is not there and a bad flag are exit 2 in the envelope", async () => {
  for (
    const args of [["--domain=./nowhere.js", "--format=json"], ["--workers=0", "--format=json"], [
      "--nope",
      "--json",
    ]]
  ) {
    const { code, stdout } = await checked(args);
    const { status, data } = JSON.parse(stdout);
    assertEquals([code, status], [2, "error"]);
    assert(data.error);
  }
});

const ajv = addFormats.default(new Draft04.default({ strict: false, allErrors: true, unicodeRegExp: false }));
const isSarif = ajv.compile(sarifSchema);

function assertSarif(text: string): void {
  const log = JSON.parse(text);
  assert(isSarif(log), JSON.stringify(isSarif.errors));
}

Deno.test("SARIF is valid by the official schema, with places below the workspace (wire 8.4)", async () => {
  await using folder = await ShopFolder.create(LOW);
  const file = await folder.write("deployment.yaml", DEPLOYMENT);
  const root = folder.folder.slice(0, folder.folder.lastIndexOf("/"));
  const { stdout } = await folder.run(["check", "--format=sarif", `--manifest=${file}`], {
    env: { GITHUB_WORKSPACE: root },
  });
  assertSarif(stdout);
  const [{ tool, results }] = JSON.parse(stdout).runs;
  assertEquals(tool.driver.name, "protean");
  const [low] = results.filter((one: { ruleId: string }) => one.ruleId === "LOW_POOL_SIZE");
  const { id, helpUri } = tool.driver.rules[low.ruleIndex];
  assertEquals([low.level, id, helpUri], [
    "warning",
    "LOW_POOL_SIZE",
    "https://docs.proteanhq.com/reference/fitness-functions#low-pool-size",
  ]);
  const { artifactLocation, region } = low.locations[0].physicalLocation;
  assertEquals([artifactLocation.uri, region.startLine], [
    `${folder.folder.slice(root.length + 1)}/domain.toml`,
    4,
  ]);
  const uris = new Set(
    results.map((one: { locations: { physicalLocation: { artifactLocation: { uri: string } } }[] }) =>
      one.locations[0]?.physicalLocation.artifactLocation.uri.split("/").at(-1)
    ),
  );
  assertEquals(uris, new Set(["domain.toml", "deployment.yaml"]));
});

Deno.test("SARIF without findings, and of notes without a place, is valid as well", async () => {
  assertSarif((await checked(["--format=sarif"])).stdout);
  assertSarif((await checked(["--format=sarif"], "", { PROTEAN_ENV: "production" })).stdout);
});

Deno.test("annotations of GitHub are one line a finding, escaped (wire 8.4)", async () => {
  const { stdout } = await checked(["--format=github-annotations"], `testing = true\n${LOW}`);
  const [note = "", warning = "", ...rest] = stdout.split("\n");
  assertEquals(rest, [""]);
  assertMatch(note, /^::notice file=domain\.toml,line=1::RULE \[CONFIG_PYTHON_ONLY\] 'testing' /);
  assertMatch(warning, /^::warning file=domain\.toml,line=5::RULE \[LOW_POOL_SIZE\] /);
});

const DEPLOYMENT = `kind: Deployment
metadata: { name: shop }
spec:
  replicas: 3
  template:
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - image: protean-server
          args: ["--workers", "4"]
`;

Deno.test("replicas and workers are the manifest's, unless flags say otherwise", async () => {
  await using folder = await ShopFolder.create(SERVERS);
  await folder.write("deployment.yaml", DEPLOYMENT);
  const of = async (...args: string[]) =>
    JSON.parse((await folder.run(["check", "--json", ...args])).stdout).data.connections[0].arithmetic;
  assertMatch(await of("--manifest=deployment.yaml"), /^3 × 4 × \(5 \+ 10\) = 180 connections/);
  assertMatch(await of("--manifest=deployment.yaml", "--replicas=2", "--workers=1"), /^2 × 1 × /);
  const [kind, ...rest] = [
    "kind: HorizontalPodAutoscaler",
    "metadata: { name: shop }",
    "spec:",
    "  maxReplicas: 9",
  ];
  await folder.write("hpa.yaml", `${[kind, ...rest].join("\n")}\n  scaleTargetRef: { name: shop }\n`);
  assertMatch(await of("--manifest=deployment.yaml", "--manifest=hpa.yaml"), /^9 × 4 × /);
  assertMatch(await of("--workers=4"), /^4 × \(5 \+ 10\) = 60 connections/);
});

Deno.test("a manifest comes from stdin too; one that cannot be read is exit 2", async () => {
  await using folder = await ShopFolder.create(SERVERS);
  const piped = await folder.run(["check", "--manifest=-", "--json"], { stdin: DEPLOYMENT });
  assertEquals(piped.code, 1);
  assertStringIncludes(piped.stdout, "MANIFEST_GRACE_PERIOD");
  const bad: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ["nowhere.yaml", "", /'nowhere.yaml' cannot be read/],
    [".", "", /is a folder/],
    ["-", new Uint8Array([0xff, 0xfe, 0x00]), /not text in UTF-8/],
    ["-", "x".repeat(5_000_000), /larger than/],
    ["-", "a: [", /Not valid YAML/],
    ["-", "replicas: {{ .Values.x }}\n", /helm template/],
    ["-", "kind: Service\n", /no Deployment/],
  ];
  for (const [name, stdin, says] of bad) {
    const { code, stderr } = await folder.run(["check", `--manifest=${name}`], { stdin });
    assertEquals(code, 2, stderr);
    assertMatch(stderr, says);
  }
});

Deno.test("check starts nothing and leaves no file behind", async () => {
  await using folder = await ShopFolder.create("");
  await folder.run(["check"]);
  await folder.run(["check", "--connect"]);
  assertEquals([...Deno.readDirSync(folder.folder)].map(({ name }) => name), ["domain.toml"]);
});

Deno.test("what is wrong with configuration, manifest and elements is told together", async () => {
  await using folder = await ShopFolder.create("[server]\nmessages_per_tik = 5\n");
  const domain = new Domain("shop");
  domain.eventHandler("Idle", { streamCategory: "shop::order", handles: [] });
  const io = recordingIo({ cwd: folder.folder, stdin: "a: [" });
  const args = ["check", "--domain=shop", "--manifest=-", "--json"];
  assertEquals(await main({ domains: { shop: domain }, args, io }), 2);
  const codes = JSON.parse(io.stdout).diagnostics.map((one: { code: string }) => one.code).sort();
  assertEquals(codes, ["CONFIG_HANDLES_NOTHING", "CONFIG_UNKNOWN_KEY", "MANIFEST_MALFORMED"]);
});
