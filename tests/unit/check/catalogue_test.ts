import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { ruleOf, RULES } from "../../../lib/check/catalogue.ts";
import { eventName } from "../../../lib/check/at_start.ts";
import { ERROR_CODES } from "../../../lib/error_codes.ts";
import { root } from "../../../tools/root.ts";

Deno.test("every rule has a code of its own and says why, what to do and how", () => {
  const asked = RULES.filter(({ stage }) => stage !== "loading").map(({ code }) => code);
  assertEquals(new Set(asked).size, asked.length);
  for (const { code, fires, rationale, remedy, mend } of RULES) {
    assert(code in ERROR_CODES, code);
    assert(/^[A-Z'`].*\.$/.test(rationale) && /^[A-Z].*\.$/.test(remedy), code);
    assert(fires !== "" && mend !== "" && !mend.includes("\n"), code);
  }
});

Deno.test("every file of lib/check/rules is in the list", async () => {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "lib/check/rules"))) files.push(name);
  const listed = await Deno.readTextFile(join(root, "lib/check/catalogue.ts"));
  assertEquals(files.filter((name) => !listed.includes(`./rules/${name}`)), []);
});

Deno.test("what a domain, a configuration or a manifest is refused for has a rationale", () => {
  const codes = Object.entries(ERROR_CODES).map(([code]) => code)
    .filter((code) => code.startsWith("CONFIG_") || code.startsWith("MANIFEST_"));
  // Thrown at work, by a handler.
  const atWork = ["CONFIG_FOREIGN_EVENT"];
  assertEquals(codes.filter((code) => !ruleOf(code)), atWork);
});

Deno.test("the log names findings of a configuration as it always has, and the others after check", () => {
  const named = (code: string) => eventName({ code, message: "" });
  assertEquals([named("CONFIG_NO_EFFECT"), named("LOW_POOL_SIZE")], [
    "config.no_effect",
    "check.low_pool_size",
  ]);
});
