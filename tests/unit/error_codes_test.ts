import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { UsageError } from "../../lib/cli/usage_error.ts";
import { report } from "../../lib/cli/report.ts";
import { createCli } from "../../lib/cli/cli.ts";
import { ERROR_CODES, EXITS_WITH_2 } from "../../lib/error_codes.ts";
import { ruleOf } from "../../lib/check/catalogue.ts";
import * as errors from "../../lib/errors.ts";
import { recordingIo } from "./cli/support.ts";

const LIST = "error_codes.ts";

/** Texts in the form of a code that are something else: names of environment variables, and of the wire. */
const NO_CODES = new Set([
  "BROKER_MESSAGE",
  "DOMAIN_ROOT_PATH",
  "GITHUB_WORKSPACE",
  "KUBERNETES_SERVICE_HOST",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "PROTEAN_DATA_DIR",
  "PROTEAN_DOMAIN",
  "PROTEAN_ENV",
  "PROTEAN_LOG_LEVEL",
  "PROTEAN_RELEASE",
  "PROTEAN_USER",
  "REDIS_ADDRESS",
  "REDIS_PASSWORD",
  "REDIS_USERNAME",
  "READ_POSITION",
  "WATCHDOG_USEC",
]);

/** `"LIKE_THIS"` anywhere, and any upper-case word where a code stands. */
const CODES = [
  /"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g,
  /\bcode(?:: | = | \?\? )"([A-Z][A-Z0-9_]*)"/g,
  /\?\? "([A-Z][A-Z0-9_]*)"\);/g,
  /super\(message, options, "([A-Z][A-Z0-9_]*)"\)/g,
  /error\.code : "([A-Z][A-Z0-9_]*)"/g,
];

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts") && name !== LIST) yield path;
  }
}

/** Codes in the code base, each with a file that has it. */
async function usedCodes(): Promise<ReadonlyMap<string, string>> {
  const used = new Map<string, string>();
  for await (const path of sources(new URL("../../lib", import.meta.url).pathname)) {
    const text = await Deno.readTextFile(path);
    for (const pattern of CODES) {
      for (const [, code = ""] of text.matchAll(pattern)) {
        if (!NO_CODES.has(code) && !code.startsWith("OTEL_")) used.set(code, path);
      }
    }
  }
  return used;
}

Deno.test("every code that is used is in the list", async () => {
  const unlisted = [...await usedCodes()].filter(([code]) => !Object.hasOwn(ERROR_CODES, code));
  assertEquals(unlisted, [], "codes that error_codes.ts does not have, and where they are");
});

Deno.test("every code in the list is used", async () => {
  const used = await usedCodes();
  assertEquals(Object.keys(ERROR_CODES).filter((code) => !used.has(code)), []);
});

Deno.test("every code has a sentence, and a carrier that gives it the exit code of the list", () => {
  const classes = { ...errors, UsageError, Error };
  for (const [code, [carrier, meaning]] of Object.entries(ERROR_CODES)) {
    assert(/^[A-Z`].*\.$/.test(meaning), code);
    if (carrier === "diagnostic") continue;
    const cli = createCli(recordingIo(), { domains: {}, config: () => Promise.resolve(undefined) });
    const exit = report(cli, new classes[carrier](meaning), []);
    assertEquals(exit, EXITS_WITH_2.includes(carrier) ? 2 : 1, code);
  }
});

Deno.test("every code says what to do, itself or in its rule of check", () => {
  for (const [code, [, , remedy]] of Object.entries(ERROR_CODES)) {
    const rule = ruleOf(code);
    assert(remedy === undefined ? rule : !rule, `${code} has a remedy here or a rule, and not both`);
    assert(/^[A-Z`].*\.$/.test(remedy ?? rule?.remedy ?? ""), code);
  }
});
