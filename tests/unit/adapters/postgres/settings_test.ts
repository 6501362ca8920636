import { assertEquals, assertThrows } from "@std/assert";
import { postgresSettings } from "../../../../lib/adapters/postgres/settings.ts";
import { ConfigurationError } from "../../../../lib/errors.ts";

const uri = "postgresql://u:p@h/d";
const read = (table: Record<string, unknown>) => postgresSettings("default", { database_uri: uri, ...table });

for (
  const [what, schema] of [
    ["NUL", "a\0b"],
    ["a line end", "a\n"],
    ["half a character", "a\ud800"],
    ["more bytes than PostgreSQL keeps", "é".repeat(32)],
  ] as const
) {
  Deno.test(`a schema's name with ${what} is refused by its key, and waited for by nobody (L8f)`, () => {
    const error = assertThrows(() => read({ schema }), ConfigurationError, "'databases.default.schema' must");
    assertEquals(error.problems.map(({ key }) => key), ["databases.default.schema"]);
  });
}

Deno.test("any other name is a schema's", () => {
  for (const schema of ["a b", 'ab"; drop table x; --', "é".repeat(31), "x".repeat(63)]) {
    assertEquals(read({ schema }).schema, schema);
  }
  assertEquals(read({ schema: "" }).schema, "public");
});

for (
  const part of [
    "u%00:p@h/d",
    "u:p%00@h/d",
    "u:p@h%00/d",
    "u:p@h/d%00",
    "u:p@h/d?options=-c%00x",
    "u\0:p@h/d",
  ]
) {
  Deno.test(`a NUL in a database_uri is refused: ${JSON.stringify(part)} (L8f)`, () => {
    assertThrows(() => read({ database_uri: `postgresql://${part}` }), ConfigurationError, "NUL character");
  });
}
