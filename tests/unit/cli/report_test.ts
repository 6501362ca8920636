import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createCli } from "../../../lib/cli/cli.ts";
import { report } from "../../../lib/cli/report.ts";
import { ConfigurationError, ProteanError } from "../../../lib/errors.ts";
import { recordingIo } from "./support.ts";

/** What is told of `thrown` on stdout and stderr, with the exit code. */
function told(thrown: unknown, ...args: string[]) {
  const io = recordingIo();
  const cli = createCli(io, { domains: {}, config: () => Promise.resolve(undefined) });
  const code = report(cli, thrown, args);
  return { code, out: io.stdout, err: io.stderr };
}

const URI = "postgresql://shop:hunter2@db/shop";

for (
  const [what, thrown] of [
    ["a failure", new ProteanError(`Cannot reach ${URI}.`, { cause: new Error(URI) })],
    [
      "a problem",
      new ConfigurationError(`Wrong: ${URI}.`, { problems: [{ code: "X", message: `Wrong: ${URI}.` }] }),
    ],
    ["a defect", new TypeError(URI)],
  ] as const
) {
  Deno.test(`${what} is told without the password in its text, as JSON and with its stack too`, () => {
    const { out, err } = told(thrown, "--json", "--log-level=debug");
    for (const text of [out, err]) {
      assert(!text.includes("hunter2"), text);
      assertStringIncludes(text, "postgresql://shop:***@db/shop");
    }
  });
}

Deno.test("the diagnostics of --json say their level first, whoever found them", () => {
  const problems = [{ code: "A", message: "a.", key: "x.y", line: 3 }, {
    code: "B",
    message: "b.",
    level: "warning" as const,
  }];
  const { code, out } = told(new ConfigurationError("Two.", { problems }), "--json");
  assertEquals(code, 2);
  assertEquals(JSON.parse(out).diagnostics, [{ level: "error", ...problems[0] }, problems[1]]);
  assertEquals(Object.keys(JSON.parse(out).diagnostics[0]), ["level", "code", "message", "key", "line"]);
});

Deno.test("whatever was thrown is told, with a stack that ends", () => {
  const circular = new Error("round and round");
  circular.cause = circular;
  for (const thrown of [null, undefined, circular, new Error("no", { cause: null }), Object.create(null)]) {
    const { code, err } = told(thrown, "--log-level=debug");
    assertEquals(code, 1);
    assert(err.startsWith("Error: "), err);
  }
});

Deno.test("whatever a domain module throws is told in one sentence, at debug too (L5, sec-thrown-no-error)", () => {
  const circular = new Error("round");
  circular.cause = circular;
  const several = new AggregateError([circular], "several");
  several.errors.push(several);
  const hostile = new Proxy({}, {
    getPrototypeOf: () => {
      throw new Error("no");
    },
  });
  for (const thrown of [null, undefined, "a text", 7n, circular, several, hostile, Object.create(null)]) {
    const { code, err } = told(thrown, "--log-level=debug");
    assertEquals(code, 1);
    assert(err.startsWith("Error: "), err);
  }
});
