import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { main } from "../../lib/cli/mod.ts";
import fc from "../support/property.ts";
import { shop } from "../unit/cli/shop.ts";
import { recordingIo } from "../unit/cli/support.ts";
import { fuzz } from "./fuzz.ts";
import { mutated } from "./mutations.ts";

/** What no output may hold. */
const PLANTED = "PLANTED";

const IN_MEMORY = `secret_key = "${PLANTED}"
[custom]
backup = "redis://user:${PLANTED}@host/0"
[databases.default]
provider = "memory"
[brokers.default]
provider = "memory"
[caches.default]
provider = "memory"
[server.health]
enabled = false
`;

const FILES: Readonly<Record<string, string>> = {
  "domain.toml": IN_MEMORY,
  "wrong.toml": `${IN_MEMORY}[server]\ntick_intervall = "${PLANTED}"\n`,
  "broken.toml": `secret_key = "${PLANTED}\n[`,
  "uri.toml":
    `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "postgresql://u:a@${PLANTED}@h/d"\n`,
  "orders.jsonl": '{"orderId":"o-1","amount":1}\n\n{"orderId":2}\n{"\n[]\n',
  "empty/domain.toml": "",
  "none.ts": "export const a = 1;",
  "null.ts": "throw null;",
  "circular.ts": 'const error = new Error("round"); error.cause = error; throw error;',
  "proxy.ts": 'throw new Proxy({}, { get() { throw new Error("no"); } });',
  "syntax.ts": "export const = ;",
};

let folder = "";
Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "protean-fuzz-" });
  await Deno.mkdir(join(folder, "empty"));
  for (const [name, text] of Object.entries(FILES)) await Deno.writeTextFile(join(folder, name), text);
});
Deno.test.afterAll(async () => await Deno.remove(folder, { recursive: true }));

/** Each is run with `--once` where it would not end by itself. */
const verbs: readonly (readonly string[])[] = [
  ...[["--once"], ["server", "--once"], ["send"], ["send", "PlaceOrder"], ["send", "OrderPlaced"]],
  ...[["dlq"], ["dlq", "list"], ["dlq", "inspect"], ["dlq", "replay"], ["dlq", "replay-all"], [
    "dlq",
    "purge",
  ]],
  ...[["outbox"], ["outbox", "list"], ["outbox", "retry"], ["outbox", "discard"], ["db"], ["db", "status"]],
  ...[["db", "setup"], ["db", "setup-outbox"], ["db", "drop"], ["db", "truncate"], ["db", "upgrade"]],
  ...[["config"], ["config", "print"], ["config", "schema"], ["healthcheck"], ["completion"], [
    "completion",
    "bash",
  ]],
  ...[["version"], ["help"], ["help", "send"], ["--version"], ["--help"], ["nope"], ["demo"], [
    "--",
    "--once",
  ]],
];

const flags = [
  ...["--domain", "--config", "--log-level", "--log-format", "--json", "--workers", "--require-dependencies"],
  ...[
    "--data",
    "--file",
    "--rate",
    "--sync",
    "--id",
    "--limit",
    "--handler",
    "--subscription",
    "--yes",
    "--all",
  ],
  ...[
    "--dry-run",
    "--origin",
    "--url",
    "--timeout",
    "--help",
    "-h",
    "-V",
    "--once",
    "--nope",
    "-x",
    "--no-color",
  ],
  ...["--__proto__", "--constructor", "--=", "---", "-"],
];

const values = [
  ...[
    "shop",
    "./none.ts",
    "./null.ts",
    "./circular.ts",
    "./proxy.ts",
    "./syntax.ts",
    "empty",
    "./none.ts:a",
    ".",
    "/",
  ],
  ...[
    "domain.toml",
    "wrong.toml",
    "broken.toml",
    "uri.toml",
    "orders.jsonl",
    "/dev/null",
    "/proc/1/mem",
    "../..",
    "-",
  ],
  ...["", " ", "0", "1", "-1", "1e3", "0x10", "NaN", "1000000", "9".repeat(400), "1.5.", "٣", "true", "null"],
  ...[
    "debug",
    "INFO",
    "json",
    "console",
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "*",
    "%s",
    "$HOME",
  ],
  ...[
    "{}",
    '{"orderId":"o-1","amount":1}',
    '{"orderId":"o-1","amount":"x"}',
    '{"__proto__":{"a":1}}',
    "[",
    "[1e999]",
  ],
  ...[
    "1-0",
    "0-0",
    "18446744073709551616-1",
    "OrderEventHandler",
    "Shop.OrderPlaced.v1",
    "x".repeat(5_000),
    "--",
    "@",
  ],
  ...["\x1b[31mred", "a\rb", "a\nb", "\u202eabc", "\x9b1m", "\0", "\ud800", "é", "🙂", "\ufeff"],
  ...["http://127.0.0.1:1", "http://[::1", "ftp://x", "https://127.0.0.1:1/\x01"],
];
/** Changed they are no addresses any more, and nobody can tell what is secret in them. */
const addresses = [
  ...[`http://u:${PLANTED}@127.0.0.1:1/x`, `redis://u:${PLANTED}@h/0`, `postgresql://u:a@${PLANTED}@h/d`],
];

const word = fc.oneof(
  fc.constantFrom(...values, ...addresses),
  mutated(fc.constantFrom(...values), values.slice(30, 50), 2),
);
const option = fc.oneof(
  fc.constantFrom(...flags).map((flag) => [flag]),
  fc.tuple(fc.constantFrom(...flags), word).map(([flag, value]) => [flag, value]),
  fc.tuple(fc.constantFrom(...flags), word).map(([flag, value]) => [`${flag}=${value}`]),
  word.map((value) => [value]),
);

/** No rate that makes a command wait. */
function isQuick(args: readonly string[]): boolean {
  return !args.some((arg, at) =>
    /^--rate/.test(arg) && /[=.]|^1$/.test(`${arg.slice(6)}${args[at + 1] ?? ""}`)
  );
}

interface Run {
  readonly args: readonly string[];
  readonly stdin: string;
  readonly terminal: boolean;
  readonly env: Readonly<Record<string, string>>;
}

const runs: fc.Arbitrary<Run> = fc.record({
  args: fc.tuple(
    fc.constantFrom(...verbs),
    fc.boolean(),
    fc.array(option, { maxLength: 4 }),
  ).map(([verb, named, options]) => [...verb, ...named ? ["--domain=shop"] : [], ...options.flat()]).filter(
    isQuick,
  ),
  stdin: fc.constantFrom("", "y\n", "n\n", '{"orderId":"o-1","amount":1}\n', "\0\n", "{\n".repeat(50)),
  terminal: fc.boolean(),
  env: fc.dictionary(
    fc.constantFrom("PROTEAN_LOG_LEVEL", "PROTEAN_DOMAIN", "PROTEAN_ENV", "NO_COLOR", "DOMAIN_ROOT_PATH"),
    word.filter((value) => !value.includes("\0")),
    { maxKeys: 2 },
  ),
});

/** Texts of the runtime, which tell a user nothing. */
const RAW =
  /is not a function|is not iterable|Cannot (read prop|set prop|convert|destructure)|undefined|\[object|(Range|Type|Reference)Error|stack size/;
/** Everything that drives a terminal; whoever has one is shown colours and a progress bar. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const DRIVES = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

fuzz(
  "a command line ends with an exit code of ours and at most one sentence",
  { runs: 9_800, share: 1 / 6 },
  runs,
  async (run) => {
    const { args, ...surroundings } = run;
    const io = recordingIo({ cwd: folder, ...surroundings });
    const code = await main({ domains: { shop: shop() }, args: [...args], io });
    const { stdout, stderr } = io;
    const all = `${stdout}\n${stderr}`;
    assert([0, 1, 2, 4].includes(code), String(code));
    assert(!all.includes(PLANTED), `a secret is shown: ${all}`);
    if (!run.terminal) assert(!DRIVES.test(all), `it drives a terminal: ${JSON.stringify(all)}`);

    const isDebugging = /debug|trace/i.test(`${args.join(" ")} ${run.env["PROTEAN_LOG_LEVEL"] ?? ""}`);
    if (!isDebugging) assert(!/^\s+at /m.test(all), `a stack is shown: ${all}`);
    // deno-lint-ignore no-control-regex -- colours
    const told = stderr.replace(/\x1b\[\d+m/g, "").split("\n").filter((line) => line.startsWith("Error: "));
    assert(told.length <= 1, stderr);
    if (code === 2) assert(told.length === 1 || /^Usage: /m.test(stderr), stderr);
    if (code === 0) assertEquals(told, []);
    for (const sentence of told) {
      const withoutGiven = args.reduce(
        (text, arg) => arg.length < 3 ? text : text.replaceAll(arg, ""),
        sentence,
      );
      assert(!RAW.test(withoutGiven), sentence);
    }
  },
);
