import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, type Schema, ValidationError } from "@protean/server";
import { z } from "zod";
import { encode, validate } from "../../../../lib/domain/elements/schema.ts";

const person = z.object({ name: z.string(), tags: z.array(z.object({ id: z.int() })) });

/** A schema without a library. */
function custom(check: (value: unknown) => unknown): Schema {
  return { "~standard": { version: 1, vendor: "test", validate: check as Schema["~standard"]["validate"] } };
}

Deno.test("a refusal lists path and reason of every issue, and none of the values", () => {
  const secret = "4111-1111-1111-1111";
  const error = assertThrows(
    () => validate(person, { name: 5, tags: [{ id: 1 }, { id: secret }] }, "The data of event X"),
    ValidationError,
  );
  assertEquals(error.issues.map(({ path }) => path), ["name", "tags.1.id"]);
  assertStringIncludes(error.message, "The data of event X is refused by its schema: name: ");
  assertFalse(`${error.message} ${JSON.stringify(error.issues)}`.includes(secret));
});

Deno.test("a refusal stays short however many issues there are and however long they are", () => {
  const tags = Array.from({ length: 10_000 }, () => ({ id: "x" }));
  const many = assertThrows(() => validate(person, { name: "a", tags }, "It"), ValidationError);
  assertEquals(many.issues.length, 20);
  assertStringIncludes(many.message, "and 9980 more");
  assert(many.message.length < 5000);
  const wordy = custom(() => ({ issues: [{ message: "x".repeat(1e6), path: ["y".repeat(1e6)] }] }));
  assert(assertThrows(() => validate(wordy, {}, "It"), ValidationError).message.length < 1000);
});

Deno.test("paths may be keys or segments, and may be missing", () => {
  const issues = [{ message: "bad", path: [{ key: "a" }, 0, Symbol("s")] }, { message: "worse" }];
  const error = assertThrows(() => validate(custom(() => ({ issues })), {}, "It"), ValidationError);
  assertEquals(error.issues, [{ path: "a.0.Symbol(s)", message: "bad" }, { path: "", message: "worse" }]);
});

Deno.test("a schema that answers with a promise is a configuration error, and its rejection goes nowhere", async () => {
  for (const result of [Promise.resolve({ value: 1 }), Promise.reject(new Error("late"))]) {
    const error = assertThrows(
      () => validate(custom(() => result), {}, "The data of event X"),
      ConfigurationError,
    );
    assertEquals(error.code, "CONFIG_ASYNC_SCHEMA");
    assertStringIncludes(error.message, "The data of event X");
  }
  // An unhandled rejection would fail this test.
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("encode answers the JSON that is stored and the value that will be read back from it", () => {
  const schema = z.object({
    at: z.coerce.date(),
    note: z.string().default("none"),
    gone: z.string().optional(),
  });
  const { value, text, json } = encode(schema, { at: "2026-01-02", gone: undefined }, "It");
  assertEquals(text, '{"at":"2026-01-02T00:00:00.000Z","note":"none"}');
  assertEquals(json, { at: "2026-01-02T00:00:00.000Z", note: "none" });
  assertEquals(value, { at: new Date("2026-01-02"), note: "none" });
});

Deno.test("a schema that refuses the JSON of its own output is a configuration error", () => {
  const error = assertThrows(
    () => encode(z.object({ at: z.date() }), { at: new Date() }, "The state of aggregate Order"),
    ConfigurationError,
  );
  assertEquals(error.code, "CONFIG_SCHEMA_NOT_REPEATABLE");
  assertStringIncludes(error.message, "The state of aggregate Order");
});

Deno.test("what JSON cannot hold is refused with its path", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  for (const value of [{ a: 10n ** 4300n }, { a: NaN }, { a: Infinity }, circular, undefined, () => 1]) {
    assertThrows(() => encode(z.unknown(), value, "It"), ValidationError, "It cannot be written as JSON");
  }
});
