/**
 * Generators for the property tests of messages.
 *
 * @module
 */
import fc from "../../support/property.ts";
import type { Model } from "./slow_canonical.ts";

/** Strings that hit every escape, both sides of the surrogates, and lone halves. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.array(
    fc.constantFrom(
      "a",
      "Z",
      "0",
      "/",
      '"',
      "\\",
      "\n",
      "\b",
      "\f",
      "\r",
      "\t",
      "\0",
      "\x1f",
      "\x7f",
      "é",
      "\u2028",
      "\ud7ff",
      "\ud83d\ude00",
      "\ud83d",
      "\ude00",
      "\ue000",
      "\uffff",
      ".",
    ),
    { maxLength: 6 },
  ).map((parts) => parts.join("")),
);

/** Names of members. */
export const key: fc.Arbitrary<string> = fc.oneof(
  text,
  fc.constantFrom(
    "id",
    "name",
    "__proto__",
    "constructor",
    "toString",
    "10",
    "9",
    "1e3",
    "data",
    "metadata",
    "",
  ),
);

/** Doubles, with those near the borders of Python's and JavaScript's forms. */
export const double: fc.Arbitrary<number> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: -1e-3, max: 1e-3, noNaN: true }),
  fc.integer().map((n) => n / 100),
  fc.tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: -10, max: 25 })).map(([n, e]) =>
    Number(`${n}e${e}`)
  ),
  fc.constantFrom(
    0,
    -0,
    1e-4,
    1e-5,
    0.00009999,
    1e15,
    1e16,
    9999999999999998,
    1e20,
    1e21,
    1e22,
    5e-324,
    Number.MAX_VALUE,
    2 ** 53,
    2 ** 53 + 2,
  ),
);

const digits = fc.oneof(fc.integer().map(String), fc.bigInt().map(String), fc.constant("-0"));

const lexeme: fc.Arbitrary<string> = fc.oneof(
  double.map((value) => /[.e]/.test(String(value)) ? String(value) : `${value}.0`),
  fc.tuple(fc.integer(), fc.nat(9999), fc.integer({ min: -330, max: 310 })).map(([a, b, e]) =>
    `${a}.${b}E${e}`
  ),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 30 })).map(([a, e]) => `${a}e+${e}`),
  fc.tuple(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n })).map(([a, b]) => `-${a}.${b}000`),
  fc.constantFrom("-0.0", "10.0", "1e400", "-1e400", "0.1000", "0e5"),
);

/** JSON as Python sees it, repeated keys included. */
export const model: fc.Arbitrary<Model> = fc.letrec<{ node: Model }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Model>({ kind: "null" }, { kind: "true" }, { kind: "false" }),
    digits.map((digits): Model => ({ kind: "int", digits })),
    lexeme.map((lexeme): Model => ({ kind: "float", value: Number(lexeme), lexeme })),
    text.map((text): Model => ({ kind: "string", text })),
    fc.array(tie("node"), { maxLength: 5 }).map((items): Model => ({ kind: "list", items })),
    fc.array(fc.tuple(key, tie("node")), { maxLength: 8 }).map((members): Model => ({
      kind: "object",
      members,
    })),
  ),
})).node;

/** Values that `JSON.stringify` can print, undefined members included. */
export const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, undefined),
    fc.integer(),
    double,
    text,
    fc.array(tie("node"), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie("node")), { maxLength: 8 }).map((members) => Object.fromEntries(members)),
  ),
})).node;

/** Payloads: JSON objects. */
export const payload: fc.Arbitrary<Record<string, unknown>> = fc.array(fc.tuple(key, value), { maxLength: 8 })
  .map((members) => Object.fromEntries(members));
