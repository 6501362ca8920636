import { assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/property.ts";
import { parseWithExactKeys } from "../../../lib/message/exact_keys.ts";
import { key, value } from "./arbitraries.ts";

/** What was made before, and a text that it makes V8 misread. */
const misread: [string, string, string][] = [
  ["a line feed", '{"a":0,"0\\\\":1}', '{"a":0,"0\\n":1}'],
  ["a quote", '{"b":0,"0\\\\":1}', '{"b":0,"0\\"":1}'],
  ["an escape in the middle", '{"c":0,"0\\\\n":1}', '{"c":0,"0\\nX":1}'],
  ["escapes by number", '{"d":0,"\\\\u":1}', '{"d":0,"\\u0007\\u0006":1}'],
  ["the only key", '{"\\\\":1}', '{"\\n":1}'],
  ["a nested key", '{"e":{"f":0,"1\\\\":1}}', '{"e":{"f":0,"1\\n":{"f":0,"1\\t":[{"f":0,"1\\r":2}]}}}'],
];

for (const [name, before, text] of misread) {
  Deno.test(`a key is read as it is written, whatever was parsed before: ${name}`, () => {
    JSON.parse(before);
    assertEquals(JSON.stringify(parseWithExactKeys(text)), text);
  });
}

Deno.test("a key is read as it is written, whatever objects the process has made", () => {
  const made: Record<string, number> = {};
  made.g = 0;
  made["z\\"] = 1;
  const copy = { ...made };
  assertEquals(Object.keys(parseWithExactKeys('{"g":0,"z\\n":1}') as object), ["g", "z\n"]);
  assertEquals(Object.keys(copy), ["g", "z\\"]);
});

Deno.test("the last of two keys wins, in the place of the first, as in JSON.parse", () => {
  assertEquals(
    JSON.stringify(parseWithExactKeys('{"\\n":1,"b":2,"\\u000a":3,"#":4}')),
    '{"\\n":3,"b":2,"#":4}',
  );
});

Deno.test("an escaped __proto__ is an own key and touches no prototype", () => {
  const parsed = parseWithExactKeys('{"\\u005f_proto__":{"polluted":true}}') as Record<string, unknown>;
  assertEquals(Object.keys(parsed), ["__proto__"]);
  assertEquals(parsed.polluted, undefined);
  assertEquals(Object.getPrototypeOf(parsed), Object.prototype);
});

Deno.test("names of our own keep out of the text's, and values with colons stay values", () => {
  const text = '{"#0":"\\\\\\":","##0":["\\n",{"a\\tb":"c\\"d"}],"e\\\\":{}}';
  assertEquals(JSON.stringify(parseWithExactKeys(text)), text);
});

Deno.test("what is wrong is told at its place in the text as it was given", () => {
  const text = '{"a\\n":1,"b":nul}';
  const { message } = assertThrows(() => JSON.parse(text), SyntaxError);
  assertThrows(() => parseWithExactKeys(text), SyntaxError, message);
  for (const broken of ['{"a\\n:1', '{"a\\x":1}', '"\\', '{"\\u00":1}', '{"a\\n":1}}']) {
    assertThrows(() => parseWithExactKeys(broken), SyntaxError);
  }
});

Deno.test("a deep value with an escaped key is read to its end", () => {
  const depth = 20_000;
  const text = '{"\\t":['.repeat(depth) + "]}".repeat(depth);
  let [at, found]: [unknown, number] = [parseWithExactKeys(text), 0];
  for (; typeof at === "object" && at !== null && "\t" in at; found++) [at] = at["\t"] as unknown[];
  assertEquals(found, depth);
});

Deno.test("any value comes back as it was printed, after any other", () => {
  fc.assert(fc.property(fc.array(fc.tuple(key, key)), value, (before, any) => {
    for (const [a, b] of before) JSON.parse(JSON.stringify({ [a]: 0, [`${b}\\`]: 1 }));
    const text = JSON.stringify(any);
    if (text !== undefined) assertEquals(JSON.stringify(parseWithExactKeys(text)), text);
  }));
});
