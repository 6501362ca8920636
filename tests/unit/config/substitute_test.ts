import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { substitute, type SubstitutionFailure } from "../../../lib/config/substitute.ts";
import { variables } from "./support.ts";

const environment = {
  A: "alpha",
  EMPTY: "",
  NESTED: "<${A}>",
  SELF: "x${SELF}",
  PING: "${PONG}",
  PONG: "${PING}",
  BRACES: "a}b{c",
  URL: "redis://h",
};

Deno.test("substitute replaces references by their values (S23)", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["${A}", "alpha"],
    ["x-${A|d}", "x-alpha"],
    ["x-${B|d}", "x-d"],
    ["${A}${A}-${A}", "alphaalpha-alpha"],
    ["${B|}", ""],
    ["${EMPTY|d}", ""],
    ["${B|a|b}", "a|b"],
    ["${B|${A}}", "alpha"],
    ["${A|${B}}", "alpha"],
    ["${B|${C|${A}}}!", "alpha!"],
    ["${NESTED}", "<alpha>"],
    ["${BRACES}", "a}b{c"],
    ["${URL}/0", "redis://h/0"],
    ["$A $ {A} {A} ${A", "$A $ {A} {A} ${A"],
    ["plain", "plain"],
    ["", ""],
  ];
  for (const [text, expected] of cases) {
    assertEquals(substitute({ text }, variables(environment)), {
      tree: { text: expected },
      used: substitute({ text }, variables(environment)).used,
      failures: [],
    }, text);
  }
});

Deno.test("substitute reaches nested tables, lists and tables in lists, and leaves keys and other values alone (S23)", () => {
  const date = new Date(0);
  assertEquals(
    substitute(
      { "${A}": 1, a: { b: { c: "${A}" } }, d: ["${A}", 2, ["${A}"], { e: "${A|x}" }], f: true, g: date },
      variables(environment),
    ).tree,
    { "${A}": 1, a: { b: { c: "alpha" } }, d: ["alpha", 2, ["alpha"], { e: "alpha" }], f: true, g: date },
  );
});

Deno.test("substitute tells which variables each value was made of", () => {
  const { used } = substitute(
    { plain: "x", a: { b: "${A}${NESTED}" }, d: ["${B|${A}}"] },
    variables(environment),
  );
  assertEquals(Object.fromEntries(used), { "a.b": ["A", "NESTED"], "d[0]": ["A"] });
});

Deno.test("substitute reports every reference without a value and keeps the text as written", () => {
  const cases: readonly (readonly [string, readonly (readonly [SubstitutionFailure["reason"], string])[]])[] =
    [
      ["${B}", [["unset", "B"]]],
      ["${B}-${C}-${B}", [["unset", "B"], ["unset", "C"]]],
      ["${B|${C}}", [["unset", "C"]]],
      ["${SELF}", [["cyclic", "SELF"]]],
      ["${PING}", [["cyclic", "PING"]]],
      ["${}", [["unnamed", ""]]],
      ["${|x}", [["unnamed", ""]]],
    ];
  for (const [text, expected] of cases) {
    const { tree, failures } = substitute({ list: [text] }, variables(environment));
    assertEquals(tree, { list: [text] });
    assertEquals(failures, expected.map(([reason, name]) => ({ path: ["list", 0], reason, name })), text);
  }
});

Deno.test("substitute ends soon when each variable doubles the next", () => {
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, level) => [`V${level}`, `\${V${level + 1}}\${V${level + 1}}`]),
  );
  const { failures } = substitute({ text: "${V0}" }, variables({ ...doubling, V40: "x" }));
  assertEquals(failures.every(({ reason }) => reason === "cyclic"), true);
  assertEquals(failures.length > 0, true);
});

Deno.test("substitute without variables changes nothing", () => {
  assertEquals(substitute({ a: "${A}" }).tree, { a: "${A}" });
});

Deno.test("substitute leaves any text without references as it is", () => {
  fc.assert(fc.property(fc.string().filter((text) => !text.includes("${")), (text) => {
    assertEquals(substitute({ text }, variables(environment)), {
      tree: { text },
      used: new Map(),
      failures: [],
    });
  }));
});

Deno.test("substitute puts any value without references in as it is", () => {
  fc.assert(
    fc.property(fc.string().filter((text) => !text.includes("${")), (value) => {
      const { tree } = substitute({ text: "<${X}|${Y|${X}}>" }, variables({ X: value }));
      assertEquals(tree, { text: `<${value}|${value}>` });
    }),
  );
});
