import { assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/property.ts";
import { DeserializationError, ValidationError } from "../../../lib/errors.ts";
import { canonicalJson, canonicalText } from "../../../lib/message/canonical.ts";
import { model, value } from "./arbitraries.ts";
import { modelOf, slowCanonical, write } from "./slow_canonical.ts";

// wire 1.7, read by Python as our JSON text.
const values: [string, unknown, string][] = [
  ["an empty object", {}, "{}"],
  ["keys", { b: 1, a: 2, B: 3, "": 4, aa: 5 }, '{"":4,"B":3,"a":2,"aa":5,"b":1}'],
  ["integer-like keys, as strings", { 9: 1, 10: 2, a: 3, "-": 4 }, '{"-":4,"10":2,"9":1,"a":3}'],
  [
    "keys by code point where UTF-16 order differs",
    { "\u{1f600}": 1, "\uffff": 2, "\ue000": 3 },
    String.raw`{"\ue000":3,"\uffff":2,"\ud83d\ude00":1}`,
  ],
  ["nested values", { nested: { z: [1, { y: null, x: true }] } }, '{"nested":{"z":[1,{"x":true,"y":null}]}}'],
  ["an own key __proto__", JSON.parse('{"b":1,"__proto__":{"a":2}}'), '{"__proto__":{"a":2},"b":1}'],
  ["an array in its order", [3, 1, 2], "[3,1,2]"],
  ["undefined members, left out", { a: undefined, b: () => 1, c: Symbol("c"), d: 1 }, '{"d":1}'],
  ["undefined items, as null", [undefined, () => 1, , 1], "[null,null,null,1]"],
  ["a date", { at: new Date(Date.UTC(2026, 0, 2)) }, '{"at":"2026-01-02T00:00:00.000Z"}'],
  ["an invalid date, as JSON.stringify does", [new Date(NaN)], "[null]"],
  ["toJSON", { money: { toJSON: () => ({ b: 1, a: 2 }) } }, '{"money":{"a":2,"b":1}}'],
  ["boxed primitives", [Object(1.5), Object("é"), Object(false)], String.raw`[1.5,"\u00e9",false]`],
  [
    "strings",
    'é\u{1f600}\x7f/\\"\n\t\r\b\f\0\x1f\u2028',
    String.raw`"\u00e9\ud83d\ude00\u007f/\\\"\n\t\r\b\f\u0000\u001f\u2028"`,
  ],
  ["half a surrogate pair", "\ud83d-\ude00", String.raw`"\ud83d-\ude00"`],
  ["literals", [true, false, null], "[true,false,null]"],
  ["integers", [10, -3, 0, 2 ** 53, 1e20], "[10,-3,0,9007199254740992,100000000000000000000]"],
  ["minus zero, which JSON.stringify prints as 0", [-0], "[0]"],
  ["small floats", [0.1, 0.0001, 0.00001, 1e-7, 5e-324], "[0.1,0.0001,1e-05,1e-07,5e-324]"],
  [
    "floats that JavaScript prints as integers below 1e21",
    [1e16, 1.2345678901234568e17],
    "[10000000000000000,123456789012345680]",
  ],
  ["as many digits as Python reads behind a sign", -(10n ** 4299n), `-1${"0".repeat(4299)}`],
  ["large floats", [1e21, 1.5e300, -1e22], "[1e+21,1.5e+300,-1e+22]"],
];
for (const [what, given, expected] of values) {
  Deno.test(`canonicalJson renders ${what}`, () => assertEquals(canonicalJson(given), expected));
}

const circular: Record<string, unknown> = { name: "a" };
circular["self"] = [circular];
let deep: unknown = 1;
for (let level = 0; level < 100_000; level++) deep = [deep];
const refused: [string, unknown, string, string][] = [
  ["NaN", { items: [{ price: NaN }] }, "items[0].price", "is NaN"],
  ["Infinity", { a: { b: -Infinity } }, "a.b", "is -Infinity"],
  ["a bigint of too many digits", [1, 10n ** 4300n], "[1]", "has more than 4300 digits"],
  ["undefined", undefined, "", "is undefined"],
  ["a function", () => 1, "", "is function"],
  [
    "a circular value",
    circular,
    "self[0].self[0].self[0].self[0]…",
    "is nested deeper than 1000 levels or refers back to itself",
  ],
  [
    "a value nested too deep",
    deep,
    "[0][0][0][0][0][0][0][0]…",
    "is nested deeper than 1000 levels or refers back to itself",
  ],
];
for (const [what, given, path, message] of refused) {
  Deno.test(`canonicalJson refuses ${what} and tells where`, () => {
    const error = assertThrows(() => canonicalJson(given), ValidationError, path || "the payload");
    assertEquals(error.issues, [{ path, message }]);
  });
}

Deno.test("canonicalJson lets an error of the caller's own toJSON through", () => {
  const error = new RangeError("mine");
  const thrower = {
    toJSON: () => {
      throw error;
    },
  };
  assertEquals(assertThrows(() => canonicalJson([thrower])), error);
});

const texts: [string, string, string][] = [
  [
    "floats as floats",
    "[10.0, 1.50, -0.0, 1E5, 1e16, 1e22, 0.00001, 123456789012345678.0]",
    "[10.0,1.5,-0.0,100000.0,1e+16,1e+22,1e-05,1.2345678901234568e+17]",
  ],
  [
    "ints digit for digit",
    "[10, -0, 12345678901234567890123, -9007199254740993]",
    "[10,0,12345678901234567890123,-9007199254740993]",
  ],
  ["what no double holds", "[1e400, -1e400, 1e-400]", "[Infinity,-Infinity,0.0]"],
  ["Python's own words", "[NaN, Infinity, -Infinity]", "[NaN,Infinity,-Infinity]"],
  ["white space", ' {\n"b" :\t1 ,\r"a": [ ] } ', '{"a":[],"b":1}'],
  ["the last of repeated keys", String.raw`{"a":1,"b":2,"\u0061":3.0}`, '{"a":3.0,"b":2}'],
  ["escapes of every form", String.raw`"\u00E9\uD83D\uDE00\/\b" `, String.raw`"\u00e9\ud83d\ude00/\b"`],
  ["raw characters", '"é😀\x7f"', String.raw`"\u00e9\ud83d\ude00\u007f"`],
  ["a string of backslashes", String.raw`["\\", "\\\"", "\\\\"]`, String.raw`["\\","\\\"","\\\\"]`],
];
for (const [what, given, expected] of texts) {
  Deno.test(`canonicalText keeps ${what}`, () => assertEquals(canonicalText(given), expected));
}

const broken: [string, string][] = [
  ["", "expected a value at character 1"],
  ["{", "expected a key in double quotes at character 2"],
  ['{"a"}', "expected ':' at character 5"],
  ['{"a":1,}', "expected a key in double quotes at character 8"],
  ["[1,]", "expected a value at character 4"],
  ["[1 2]", "expected ',' or ']' at character 4"],
  ["[1}", "expected ',' or ']' at character 3"],
  ["01", "expected the end of the text at character 2"],
  ["1.", "expected the end of the text at character 2"],
  ["+1", "expected a value at character 1"],
  [".5", "expected a value at character 1"],
  ["nul", "expected a value at character 1"],
  ["'a'", "expected a value at character 1"],
  ['"abc', "expected a closing quote at character 1"],
  ['"a\\"', "expected a closing quote at character 1"],
  ['"a\nb"', "expected a string without control characters or unknown escapes at character 1"],
  ['"\\x"', "expected a string without control characters or unknown escapes at character 1"],
  ["\ufeff1", "expected a value at character 1"],
  ["[".repeat(1001), "expected at most 1000 levels of nesting at character 1001"],
];
for (const [given, message] of broken) {
  Deno.test(`canonicalText refuses ${JSON.stringify(given.slice(0, 20))}: ${message}`, () => {
    assertThrows(() => canonicalText(given), DeserializationError, message);
  });
}

Deno.test("canonicalText reads a thousand levels, and strings of megabytes", () => {
  const nested = "[".repeat(1000) + "]".repeat(1000);
  assertEquals(canonicalText(nested), nested);
  const plain = JSON.stringify("x".repeat(4_000_000));
  assertEquals(canonicalText(plain), plain);
  const long = JSON.stringify("é\\".repeat(2_000_000));
  assertEquals(canonicalText(long).length, 2 + 2_000_000 * ("\\u00e9".length + 2));
});

Deno.test("canonicalJson agrees with the slow rendering for any value", () => {
  fc.assert(
    fc.property(value, (given) => {
      const expected = modelOf(given);
      fc.pre(expected !== undefined);
      assertEquals(canonicalJson(given), expected && slowCanonical(expected));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("canonicalText agrees with the slow rendering for any text", () => {
  const habits = fc.tuple(fc.constantFrom("", " ", "\n\t "), fc.boolean());
  fc.assert(
    fc.property(model, habits, (given, [space, escape]) => {
      assertEquals(canonicalText(write(given, space, escape)), slowCanonical(given));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("canonical text is its own canonical text", () => {
  fc.assert(fc.property(model, (given) => {
    const canonical = slowCanonical(given);
    assertEquals(canonicalText(canonical), canonical);
  }));
});

Deno.test("canonicalJson of a value is canonicalText of its JSON", () => {
  fc.assert(fc.property(value, (given) => {
    const text = JSON.stringify(given);
    fc.pre(text !== undefined);
    assertEquals(canonicalJson(given), canonicalText(text));
  }));
});
