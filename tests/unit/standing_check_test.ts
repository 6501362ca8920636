/** The standing check of `tests/support/standing_check.ts` can fail. */
import { getLogger } from "@logtape/logtape";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Installation } from "../e2e/server.ts";
import { logged } from "../support/logged.ts";
import {
  assertLogTellsNothing,
  assertTellsNothing,
  type Output,
  outputsOf,
  PLANTED_PASSWORD,
  PLANTED_VALUE,
  watchLog,
  withPlantedValue,
} from "../support/standing_check.ts";

const line = (level: string, text: string) => `{"event":"x","level":"${level}","error":"${text}"}\n`;

const told: readonly (readonly [what: string, output: Omit<Output, "what">, isTold: boolean])[] = [
  ["a password", { text: `redis://u:${PLANTED_PASSWORD}@h` }, true],
  ["a password at debug", { text: line("debug", PLANTED_PASSWORD), mayHoldPayloads: true }, true],
  ["a payload above debug", { text: line("info", "fine") + line("warning", PLANTED_VALUE) }, true],
  ["a payload at debug", { text: line("debug", PLANTED_VALUE) }, false],
  ["a payload where it was asked for", { text: PLANTED_VALUE, mayHoldPayloads: true }, false],
  ["neither", { text: "redis://u:***@h" }, false],
];
for (const [what, output, isTold] of told) {
  Deno.test(`the standing check ${isTold ? "finds" : "lets through"} ${what}`, () => {
    const check = () => assertTellsNothing([{ what: "log", ...output }]);
    if (isTold) assertStringIncludes(assertThrows(check, Error, "has come out").message, "pLanted");
    else check();
  });
}

Deno.test("the standing check looks at both outputs of a command, and dlq may print payloads", () => {
  const said = { out: PLANTED_VALUE, err: "" };
  assertThrows(() => assertTellsNothing(outputsOf(["send", "A"], said)));
  assertTellsNothing(outputsOf(["dlq", "list"], said));
  assertThrows(() => assertTellsNothing(outputsOf(["dlq", "list"], { out: "", err: PLANTED_VALUE })));
  assertTellsNothing(outputsOf(["send", "A", "--log-level=debug"], { out: "", err: PLANTED_VALUE }));
});

Deno.test("the standing check looks at what the log of the process says, beside whoever else listens", async () => {
  const log = getLogger(["protean", "redis"]);
  const say = () => log.warn("redis.unavailable", { error: new Error(`no ${PLANTED_PASSWORD}`) });
  watchLog();
  say();
  assertThrows(assertLogTellsNothing);
  assertLogTellsNothing();
  await logged(() => Promise.resolve(say()));
  assertThrows(assertLogTellsNothing);
  say();
  assertThrows(assertLogTellsNothing);
});

Deno.test("an installation whose process or log file tells a planted value fails when it is disposed of", async () => {
  const shell = { program: ["sh", "-c", 'cat "$@"', "sh"] };
  for (const [what, text] of [["password", PLANTED_PASSWORD], ["payload", PLANTED_VALUE]] as const) {
    const ran = await Installation.create("", { ...shell });
    await Deno.writeTextFile(`${ran.folder}/said`, text);
    await ran.run(["said"]);
    await assertRejected(ran, what);
    const served = await Installation.create("", {
      program: ["sh", "-c", `echo '${line("error", text).trim()}' >&2`, "sh"],
    });
    const server = await served.launch();
    await server.logged;
    await assertRejected(served, what);
  }
  await using silent = await Installation.create("", { ...shell });
  assertEquals((await silent.run(["domain.toml.not"])).code, 1);
});

async function assertRejected(installation: Installation, what: string): Promise<void> {
  let message = "";
  try {
    await installation[Symbol.asyncDispose]();
  } catch (error) {
    message = String(error);
  }
  assertStringIncludes(message, "has come out", what);
}

Deno.test("payloads of the tests' messages get the planted value, others stay as they are", () => {
  const { args, input } = withPlantedValue({
    args: ["send", "PlaceOrder", "--data", '{"orderId":"a"}'],
    input: '{"id":"b"}\n{"broken\n{}',
  });
  assertEquals(JSON.parse(args[3] ?? ""), { customer: PLANTED_VALUE, orderId: "a" });
  assertEquals(input, `{"customer":"${PLANTED_VALUE}","id":"b"}\n{"broken\n{}`);
  const other = { args: ["send", "Place", "--data", '{"a":1}'], input: undefined };
  assertEquals(withPlantedValue(other), other);
});
