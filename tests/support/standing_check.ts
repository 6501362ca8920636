/**
 * The standing check of everything that tests make the server say (SEC-4): a password and a value of a
 * payload are planted where tests configure and send, and neither may come out again. At debug a payload may
 * be told, and to whoever reads dead letters.
 *
 * @module
 */
import { configureSync, type LogRecord } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import { REDACTED_WORDS } from "../../lib/config/secrets.ts";
import { jsonFormatter } from "../../lib/telemetry/log_format.ts";
import { createRedactor } from "../../lib/telemetry/redaction.ts";

/** Stands where a URI has its password; needs no percent-encoding. */
export const PLANTED_PASSWORD = "pLanted-pa55word";
/** Stands in what is sent, where it does not matter what stands there. */
export const PLANTED_VALUE = "pLanted-va1ue";

/** A key of every configuration that tests write. */
export const PLANTED_CONFIG = `[custom.planted]\naddress = "redis://user:${PLANTED_PASSWORD}@host/0"\n`;

/** Messages of the tests' domains whose payload may hold a `customer`. */
const OPEN = /^(PlaceOrder|TaskGiven|JobGiven)$/;

export interface SendInput {
  readonly args: readonly string[];
  readonly input?: string | undefined;
}

/** The same command line of `send`, and its stdin, with the planted value in each payload that has room. */
export function withPlantedValue({ args, input }: SendInput): SendInput {
  if (args[0] !== "send" || !OPEN.test(args[1] ?? "")) return { args, input };
  return {
    args: args.map((arg, at) => args[at - 1] === "--data" ? planted(arg) : arg),
    input: input?.split("\n").map(planted).join("\n"),
  };
}

function planted(line: string): string {
  return line.replace(/^\{(?=".*\}$)/, `{"customer":"${PLANTED_VALUE}",`);
}

/** What a process said, and where. */
export interface Output {
  /** For whoever reads the failure: the command line, or the name of the file. */
  readonly what: string;
  readonly text: string;
  /** Payloads are what was asked for, or what is told at debug. */
  readonly mayHoldPayloads?: boolean;
}

/** Fails with every line that tells what was planted. */
export function assertTellsNothing(outputs: readonly Output[]): void {
  assertEquals(outputs.flatMap(leaks), [], "What was planted has come out: this is the standing check.");
}

function leaks({ what, text, mayHoldPayloads = false }: Output): string[] {
  if (!text.includes(PLANTED_PASSWORD) && !text.includes(PLANTED_VALUE)) return [];
  return text.split("\n").filter((line) =>
    line.includes(PLANTED_PASSWORD) || line.includes(PLANTED_VALUE) && !mayHoldPayloads && !isDebug(line)
  ).map((line) => `${what}: ${line}`);
}

/** A line of the JSON log. */
function isDebug(line: string): boolean {
  return /^\{.*"level":"debug"/.test(line);
}

/** Both outputs of a command; its own arguments are what the user knows. */
export function outputsOf(
  args: readonly string[],
  { out, err }: { readonly out: string; readonly err: string },
): readonly Output[] {
  const what = args.join(" ").slice(0, 200);
  const isDebugging = /--log-level[= ](debug|trace)/.test(args.join(" "));
  return [
    { what: `stdout of ${what}`, text: out, mayHoldPayloads: args.includes("dlq") },
    { what: `stderr of ${what}`, text: err, mayHoldPayloads: isDebugging },
  ];
}

const redact = createRedactor(REDACTED_WORDS);
const lines = { usual: jsonFormatter(redact, false), debugging: jsonFormatter(redact, true) };
const said: Output[] = [];

/** Takes what the log of this process says for the standing check; for the sinks of tests. */
export function standingSink(record: LogRecord): void {
  said.push({ what: "log", text: lines.usual(record) });
  // Who debugs sees stacks as well.
  said.push({ what: "log at debug", text: lines.debugging(record), mayHoldPayloads: true });
}

/** Whatever is logged in this process goes to the standing check, until somebody else takes the log. */
export function watchLog(): void {
  configureSync({
    reset: true,
    sinks: { standing: standingSink },
    loggers: [
      { category: "protean", sinks: ["standing"], lowestLevel: "debug" },
      // One line a message: of thousands of messages they would take the test's time and memory.
      { category: ["protean", "access"], sinks: [], lowestLevel: "warning" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
    ],
  });
}

/** Fails if the log of this process has told what was planted since it was asked last. */
export function assertLogTellsNothing(): void {
  assertTellsNothing(said.splice(0));
}

/** For every test of the file that calls this; a benchmark, which starts the same servers, logs nothing. */
export function watchEveryTest(): void {
  if (!Deno.mainModule.endsWith("_test.ts")) return;
  watchLog();
  Deno.test.afterEach(assertLogTellsNothing);
}
