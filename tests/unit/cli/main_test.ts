import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../../../lib/cli/mod.ts";
import { recordingIo, type Surroundings } from "./support.ts";
import { VERSION } from "../../../lib/executable/version.ts";

async function run(line: string, surroundings: Surroundings = {}) {
  const io = recordingIo(surroundings);
  const code = await main({ args: line === "" ? [] : line.split(" "), io, domains: {} });
  return { code, stdout: io.stdout, stderr: io.stderr };
}

for (
  const [line, message] of [
    ["sned --domain=shop", "There is no command 'sned'. Did you mean 'send'?"],
    ["--wokers 2", "Unknown option '--wokers'. Did you mean --workers?"],
    ["server --wokers=2", "Unknown option '--wokers=2'. Did you mean --workers?"],
    ["dlq lst", "Unknown command 'lst'. Did you mean list?"],
    ["dlq list --limt 3", "Unknown option '--limt'. Did you mean --limit?"],
    ["dlq list --limit 0", "whole number above 0"],
    ["dlq list --limit x", "whole number above 0"],
    ["dlq list --limit 1e3", "whole number above 0"],
    ["dlq list --limit 0x10", "whole number above 0"],
    ["dlq list --limit 99999999999999999999", "whole number above 0"],
    ["healthcheck --timeout 0x10", "number of seconds"],
    ["healthcheck --timeout 1e1", "number of seconds"],
    ["dlq inspect", "Missing required argument 'id'"],
    ["dlq purge", "--subscription"],
    ["send", "Missing required argument 'message'"],
    ["send PlaceOrder", "one of --data JSON, --file F.jsonl or -"],
    ["send PlaceOrder - --data {}", "one of --data JSON, --file F.jsonl or -"],
    ["send PlaceOrder orders.jsonl", "'orders.jsonl' is no source of data"],
    ["send PlaceOrder --file /nowhere/orders.jsonl", "Cannot read the file '/nowhere/orders.jsonl'"],
    ["send PlaceOrder - --rate 0", "number above 0"],
    ["server --workers 0", "--workers must be >= 1"],
    ["server --workers -1", "--workers must be >= 1"],
    ["server --workers two", "--workers must be >= 1"],
    ["server extra", "Too many arguments"],
    ["--domain", "argument missing"],
    ["--log-level loud", "--log-level"],
    ["--log-format xml", "auto, console, json"],
    ["completion csh", "bash, zsh, fish"],
    ["healthcheck --url ftp://x", "http or https"],
    ["healthcheck --timeout 0", "number of seconds"],
    ["--domain=nope", "There is no domain 'nope'"],
    ["send PlaceOrder - --rate 0x10", "number above 0"],
    ["send PlaceOrder - --rate 1e3", "number above 0"],
    ["server --workers 0x1", "--workers must be >= 1"],
    ["send PlaceOrder --file=", "--file <file>' argument '' is invalid: it must not be empty"],
    ["send PlaceOrder - --id=", "--id <id>' argument '' is invalid: it must not be empty"],
    ["dlq list --handler=", "it must not be empty"],
    ["dlq purge --subscription= --yes", "it must not be empty"],
    ["config print --config=", "it must not be empty"],
    ["healthcheck --config .", "it is a folder"],
    ["send PlaceOrder --file .", "Cannot read the file '.': it is a folder."],
    ["dlq list --yes", "Unknown option '--yes' here: it belongs to 'dlq replay-all'"],
    [
      "server --limit 3",
      "Unknown option '--limit' here: it belongs to 'dlq list', 'dlq stats', 'dlq replay-all' and others.",
    ],
    [
      "--limit=3",
      "Unknown option '--limit' here: it belongs to 'dlq list', 'dlq stats', 'dlq replay-all' and others.",
    ],
    ["dlq list 1-0", "Too many arguments for 'list': expected 0 but got 1."],
  ] as const
) {
  Deno.test(`'${line}' is exit 2 and one sentence on stderr`, async () => {
    const { code, stdout, stderr } = await run(line);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^Error: .*\n$/);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("a file that cannot be read is named once, as it was given and without its secret", async () => {
  for (const level of ["info", "debug"]) {
    const { code, stderr } = await run(`send Place --file redis://u:a@SECRET@h --log-level ${level}`);
    assertEquals(code, 2);
    assertStringIncludes(
      stderr,
      "Cannot read the file 'redis://u:***@h': No such file or directory (os error 2).\n",
    );
    assertEquals(stderr.includes("SECRET"), false, stderr);
  }
});

Deno.test("a group without its verb shows its help and is exit 2", async () => {
  const { code, stdout, stderr } = await run("dlq");
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "inspect");
});

for (
  const line of [
    "--help",
    "-h",
    "help",
    "server --help",
    "send --help",
    "send -h",
    "help send",
    "dlq --help",
    "dlq list --help",
    "dlq inspect --help",
    "dlq replay --help",
    "dlq purge --help",
    "db --help",
    "db setup --help",
    "db setup-outbox --help",
    "db drop --help",
    "db truncate --help",
    "config --help",
    "config print --help",
    "config schema --help",
    "healthcheck --help",
    "completion --help",
    "version --help",
  ]
) {
  Deno.test(`'${line}' begins with examples and is exit 0`, async () => {
    const { code, stdout, stderr } = await run(line);
    assertEquals([code, stderr], [0, ""]);
    assert(stdout.startsWith("Examples:\n  # "), stdout);
    assertStringIncludes(stdout, "\nUsage: protean-server ");
  });
}

Deno.test("the version is printed by --version and version", async () => {
  for (const line of ["--version", "-V", "version"]) {
    assertEquals(await run(line), { code: 0, stdout: `protean-server ${VERSION}\n`, stderr: "" });
  }
  const { data, status } = JSON.parse((await run("version --json")).stdout);
  assertEquals([status, data.version, data.deno], ["pass", VERSION, Deno.version.deno]);
});

Deno.test("with --json an error is the house envelope on stdout and a sentence on stderr", async () => {
  const { code, stdout, stderr } = await run("dlq list --domain=nope --json");
  assertEquals(code, 2);
  const { version, status, data, diagnostics } = JSON.parse(stdout);
  assertEquals([version, status], ["0.1.0", "error"]);
  assertStringIncludes(data.error, "There is no domain 'nope'");
  assertEquals(diagnostics, [{ level: "error", code: "DOMAIN_LOAD", message: data.error }]);
  assertEquals(stderr, `Error: ${data.error}\n`);
});

for (
  const [line, env, stack] of [
    ["--domain=nope", {}, false],
    ["--domain=nope --log-level info", {}, false],
    ["--domain=nope --log-level debug", {}, true],
    ["--domain=nope --log-level=DEBUG", {}, true],
    ["--domain=nope", { PROTEAN_LOG_LEVEL: "debug" }, true],
    ["--domain=nope --log-level info", { PROTEAN_LOG_LEVEL: "debug" }, false],
  ] as const
) {
  Deno.test(`'${line}' with ${JSON.stringify(env)} ${stack ? "shows" : "does not show"} the stack`, async () => {
    const { stderr } = await run(line, { env });
    assertEquals(/\n\s+at /.test(stderr), stack);
  });
}

Deno.test("colours are for terminals and not for those who set NO_COLOR", async () => {
  const colored = (text: string) => text.includes("\x1b[");
  assertEquals(colored((await run("--domain=nope", { terminal: true })).stderr), true);
  assertEquals(
    colored((await run("--domain=nope", { terminal: true, env: { NO_COLOR: "1" } })).stderr),
    false,
  );
  assertEquals(colored((await run("--domain=nope")).stderr), false);
});
