/** Large payloads that are wrong from their beginning on are refused for that (issue 10, point 3). */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { z } from "zod";
import { beginningOf, lasting } from "../../../../lib/domain/elements/beginning.ts";
import { validate } from "../../../../lib/domain/elements/schema.ts";
import { ValidationError } from "../../../../lib/errors.ts";

const MANY = 100_000;
const list = (item: unknown, length = MANY) => Array.from({ length }, () => item);

/** A schema that counts how many items it was asked about. */
function counting() {
  const asked = { items: 0 };
  const item = z.custom((value) => {
    asked.items++;
    return typeof value === "string";
  });
  return { asked, item };
}

for (
  const [what, schemaOf, value] of [
    ["a list", (item: z.ZodType) => z.object({ items: z.array(item) }), { items: list(0) }],
    ["lists in a list", (item: z.ZodType) => z.array(z.array(item)), list(list(0, 100), MANY / 100)],
    [
      "a record",
      (item: z.ZodType) => z.record(z.string(), item),
      Object.fromEntries(list(0).map((item, at) => [`k${at}`, item])),
    ],
  ] as const
) {
  Deno.test(`${what} of very many wrong items is refused for its beginning`, () => {
    const { asked, item } = counting();
    const error = assertThrows(() => validate(schemaOf(item), value, "The data", true), ValidationError);
    assertStringIncludes(error.message, "; and at least ");
    assert(asked.items < MANY / 2, `${asked.items} items were looked at`);
  });
}

Deno.test("a large value whose beginning is right, or wrong here and there, is looked at whole", () => {
  const { asked, item } = counting();
  const schema = z.array(item);
  assertEquals(validate(schema, list("x"), "The data", true).length, MANY);
  assert(asked.items >= MANY);
  const error = assertThrows(() => validate(schema, [0, ...list("x")], "The data", true), ValidationError);
  assertEquals(error.issues.length, 1);
});

Deno.test("what a schema says of a whole list is no reason while it was given the beginning alone", () => {
  const schema = z.array(z.string()).min(MANY);
  assertEquals(validate(schema, list("x"), "The data", true).length, MANY);
});

Deno.test("a beginning is cut as written, and what is not cut stays the same object", () => {
  assertEquals(beginningOf({ a: [1, 2], b: "x" }), undefined);
  const first = { a: 1 };
  const value = { first, items: list(0) };
  const beginning = beginningOf(value) as typeof value;
  assert(beginning.first === first);
  assert(beginning.items.length < MANY);
  const issue = (...path: PropertyKey[]) => ({ message: "wrong", path });
  const issues = [
    issue("first"),
    issue("first", "a"),
    issue("items"),
    issue("items", 3),
    issue("none"),
    issue(),
  ];
  assertEquals(lasting(issues, beginning, value), [issue("first"), issue("first", "a"), issue("items", 3)]);
});

Deno.test("what is nested deeply is cut without an end of the stack", () => {
  const deep = JSON.parse(`${"[".repeat(4_000)}${"]".repeat(4_000)}`);
  assertEquals((beginningOf([deep, list(0)]) as unknown[]).length, 2);
});

Deno.test("a list of small integers may be as long as a message has room for, where it takes bigints", () => {
  const value = { items: list(1) };
  for (const isLarge of [false, true]) {
    const { items } = validate(z.object({ items: z.array(z.int64()) }), value, "The data", isLarge);
    assertEquals([items.length, items[0], items.at(-1)], [MANY, 1n, 1n]);
  }
});
