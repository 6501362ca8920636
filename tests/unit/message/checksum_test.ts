import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ValidationError } from "../../../lib/errors.ts";
import { canonicalJson, canonicalText } from "../../../lib/message/canonical.ts";
import { checksumMatches, checksumOf } from "../../../lib/message/checksum.ts";
import { parseWithExactKeys } from "../../../lib/message/exact_keys.ts";

// wire 1.7, as observed from Python.
const vectors: [string, string][] = [
  ["{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"],
  [
    '{"customer":"Ann","note":"<b>x</b>","order_id":"ord-1"}',
    "58bf897994a41cef764f0975ead51cda936b7f3aba62497e37916681272cb804",
  ],
  [
    '{"nested":{"z":[1,{"x":true,"y":null}]}}',
    "b3a0a8051de2df8541a197cc409de0ce36c10c8c1f234670b84999fdc9cbbe2a",
  ],
  [
    '{"f":1e+16,"g":1e-05,"h":0.1,"i":1e+22,"j":1.2345678901234568e+17,"k":-0.0,"l":1e-07,"m":5e-324,"n":1.0}',
    "43b574ae2be502ca94559e47300a0b4f386b045660a8aab648ac377308c84a24",
  ],
  [
    String.raw`{"a":"\u00e9\ud83d\ude00\u007f/\\\"\n\t\u2028","b":1}`,
    "6adaff4f7b64296735c9d2d864dcb4f3b9eb2de74cabf3f6316b8d0f71752757",
  ],
];
for (const [canonical, checksum] of vectors) {
  Deno.test(`the checksum of ${canonical.slice(0, 40)} is the vector's`, () => {
    assertEquals(canonicalText(canonical), canonical);
    assertEquals(checksumOf(canonical), checksum);
  });
}

Deno.test("the vectors' checksums come out of parsed values too, where JavaScript keeps the numbers", () => {
  const value = { b: 1, a: 'é\u{1f600}\x7f/\\"\n\t\u2028' };
  assertEquals(checksumOf(canonicalJson(value)), vectors[4]?.[1]);
});

function matches(text: string, canonical: string): boolean {
  return checksumMatches(text, (parseWithExactKeys(text) as { data: unknown }).data, checksumOf(canonical));
}

const accepted: [string, string, string][] = [
  ["text of ours", '{"data":{"a":10.0,"b":1},"metadata":{}}', '{"a":10.0,"b":1}'],
  ["text of Python", '{"data": {"b": 1, "a": "\\u00e9"}, "metadata": {}}', String.raw`{"a":"\u00e9","b":1}`],
  ["metadata first", '{"metadata":{"x":1.0},"data":{"b":1,"a":2}}', '{"a":2,"b":1}'],
  [
    "a payload with metadata of its own",
    '{"data":{"a":{},"metadata":{"a":1},"z":1},"metadata":{}}',
    '{"a":{},"metadata":{"a":1},"z":1}',
  ],
  ["data repeated, the last one", '{"data":{"a":1.0},"data":{"a":2.0},"metadata":{}}', '{"a":2.0}'],
  [
    "floats that parse to integers",
    '{"data": {"a": 10.0, "b": 1E2, "c": -0.0}}',
    '{"a":10.0,"b":100.0,"c":-0.0}',
  ],
  ["floats that keep their fraction", '{"data": {"a": 10.5, "b": 0.00001}}', '{"a":10.5,"b":1e-05}'],
  ["integers beyond 2^53", '{"data": {"a": 9007199254740993}}', '{"a":9007199254740993}'],
  ["a fraction too fine for a double", '{"data": {"a": 5.00000000000000000001}}', '{"a":5.0}'],
  ["floats inside strings", '{"data": {"a": "1.0, 2", "b": 1}}', '{"a":"1.0, 2","b":1}'],
  ["an own key __proto__", '{"data": {"b": 1, "__proto__": {"a": 1}}}', '{"__proto__":{"a":1},"b":1}'],
];
for (const [what, text, canonical] of accepted) {
  Deno.test(`a checksum matches ${what}`, () => assert(matches(text, canonical)));
}

const rejected: [string, string, string][] = [
  ["a float for an int", '{"data":{"a":10.0},"metadata":{}}', '{"a":10}'],
  ["an int for a float", '{"data": {"a": 10}}', '{"a":10.0}'],
  ["an exponent for an int", '{"data": {"a": 1e1}}', '{"a":10}'],
  ["an int off by less than a double tells", '{"data": {"a": 9007199254740993}}', '{"a":9007199254740992}'],
  ["another value", '{"data":{"a":"b"},"metadata":{}}', '{"a":"c"}'],
];
for (const [what, text, canonical] of rejected) {
  Deno.test(`a checksum does not match ${what}`, () => assertFalse(matches(text, canonical)));
}

Deno.test("a payload nested too deep to be rendered throws", () => {
  const text = `{"data": {"a": ${"[".repeat(2000)}${"]".repeat(2000)}}}`;
  assertThrows(() => matches(text, "{}"), ValidationError, "nested deeper");
});
