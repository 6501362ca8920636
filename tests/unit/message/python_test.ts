/**
 * Canonical JSON against the real `json.dumps`, over generated cases. Needs python3 on the PATH; ignored, and
 * said so, where there is none.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { canonicalJson, canonicalText } from "../../../lib/message/canonical.ts";
import { checksumOf } from "../../../lib/message/checksum.ts";
import { model, value } from "./arbitraries.ts";
import { write } from "./slow_canonical.ts";

/** Reads a JSON array of JSON texts, prints what upstream would make of each: canonical text and checksum. */
const PROGRAM = `
import hashlib, json, sys
out = []
for text in json.load(sys.stdin):
    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    out.append([canonical, hashlib.sha256(canonical.encode("utf-8")).hexdigest()])
json.dump(out, sys.stdout)
`;

async function run(args: string[], input: string): Promise<string | undefined> {
  try {
    const child = new Deno.Command("python3", { args, stdin: "piped", stdout: "piped", stderr: "inherit" })
      .spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { success, stdout } = await output;
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const hasPython = await run(["-c", "print(1)"], "") !== undefined;
if (!hasPython) {
  await Deno.stderr.write(new TextEncoder().encode("IGNORED: python_test.ts needs python3 on the PATH.\n"));
}

async function upstream(texts: readonly string[]): Promise<[string, string][]> {
  // Python's own limit on the digits of an int is beside the point.
  const printed = await run(["-X", "int_max_str_digits=0", "-c", PROGRAM], JSON.stringify(texts));
  return JSON.parse(printed ?? "[]");
}

Deno.test({
  name: "canonicalText and checksumOf agree with Python over generated texts",
  ignore: !hasPython,
  async fn() {
    const texts = fc.sample(model, 3000).map((given, i) =>
      write(given, ["", " ", "\n"][i % 3] ?? "", i % 2 === 0)
    );
    const expected = await upstream(texts);
    assertEquals(expected.length, texts.length);
    for (const [i, text] of texts.entries()) {
      const canonical = canonicalText(text);
      assertEquals([canonical, checksumOf(canonical)], expected[i], text);
    }
  },
});

Deno.test({
  name: "canonicalJson agrees with what Python reads of our JSON, over generated values",
  ignore: !hasPython,
  async fn() {
    const values = fc.sample(value, 3000).filter((given) => given !== undefined);
    const expected = await upstream(values.map((given) => JSON.stringify(given)));
    assertEquals(expected.length, values.length);
    for (const [i, given] of values.entries()) assertEquals(canonicalJson(given), expected[i]?.[0]);
  },
});
