import { assertEquals } from "@std/assert";
import fc from "../../../../support/property.ts";
import { arrayText, textOf, typeRules } from "../../../../../lib/adapters/postgres/connection/values.ts";
import type { SqlValue } from "../../../../../lib/adapters/ports.ts";

const parameters: readonly (readonly [value: SqlValue, text: string | null])[] = [
  [null, null],
  ["", ""],
  ["it's", "it's"],
  [0, "0"],
  [-0, "0"],
  [1.5, "1.5"],
  [1e21, "1e+21"],
  [NaN, "NaN"],
  [-Infinity, "-Infinity"],
  [9007199254740993n, "9007199254740993"],
  [true, "true"],
  [false, "false"],
  [new Uint8Array([0, 255, 16]), "\\x00ff10"],
  [new Uint8Array(), "\\x"],
];

for (const [value, text] of parameters) {
  Deno.test(`textOf sends ${typeof value} ${String(value)} as ${text}`, () =>
    assertEquals(textOf(value), text));
}

const columns: readonly (readonly [rule: keyof typeof typeRules, text: string, value: unknown])[] = [
  ["number", "42", 42],
  ["number", "NaN", NaN],
  ["number", "-Infinity", -Infinity],
  ["bigint", "9007199254740991", 9007199254740991],
  ["bigint", "9007199254740992", 9007199254740992n],
  ["bigint", "-9007199254740993", -9007199254740993n],
  ["numeric", "10.50", 10.5],
  ["numeric", "-0.000001", -0.000001],
  ["numeric", "0", 0],
  ["numeric", "999999999999999", 999999999999999],
  ["numeric", "0.123456789012345", 0.123456789012345],
  ["numeric", "1.5000000000000000", 1.5],
  ["numeric", "0.33333333333333333333", 1 / 3],
  ["numeric", "NaN", NaN],
  ["numeric", "Infinity", Infinity],
  ["numeric", "9007199254740992.5", "9007199254740992.5"],
  ["numeric", "12345678901234567890", "12345678901234567890"],
  ["boolean", "t", true],
  ["boolean", "f", false],
  ["time", "2026-01-02 03:04:05.678901+00", "2026-01-02T03:04:05.678901Z"],
  ["time", "2026-01-02 03:04:05", "2026-01-02T03:04:05"],
  ["time", "12026-01-02 03:04:05+00", "12026-01-02T03:04:05Z"],
  ["time", "infinity", "infinity"],
  ["time", "0044-03-15 00:00:00+00 BC", "0044-03-15 00:00:00+00 BC"],
  ["date", "2026-01-02", "2026-01-02"],
  ["json", '{"a": 1.0}', '{"a": 1.0}'],
  ["bytea", "\\x00ff10", new Uint8Array([0, 255, 16])],
];

for (const [rule, text, value] of columns) {
  Deno.test(`a ${rule} column of '${text}' is ${typeof value} ${String(value)}`, () => {
    assertEquals(typeRules[rule].parse(text), value);
  });
}

Deno.test("no rule changes a parameter, which is text already", () => {
  for (const { serialize } of Object.values(typeRules)) assertEquals(serialize("f\\x{}"), "f\\x{}");
});

Deno.test("arrayText can be read back item by item", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: "binary" })), (items) => {
    const read: string[] = [];
    for (const [, quoted = ""] of arrayText(items).matchAll(/"((?:\\.|[^"\\])*)"/gs)) {
      read.push(quoted.replace(/\\(.)/gs, "$1"));
    }
    assertEquals(read, items);
  }));
});
