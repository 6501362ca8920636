import { assertEquals, assertThrows } from "@std/assert";
import { userStatement } from "../../../../../lib/adapters/postgres/tables/user_sql.ts";
import type { SqlValue } from "../../../../../lib/adapters/ports.ts";
import { IncorrectUsageError, ProteanError } from "../../../../../lib/errors.ts";

function sql(strings: TemplateStringsArray, ...values: SqlValue[]) {
  return userStatement({ strings: [...strings], values });
}

Deno.test("userStatement numbers the parameters and sends them as text", () => {
  assertEquals(sql`SELECT ${1}, ${"two"}::text, ${null}`, {
    text: "SELECT $1, $2::text, $3",
    values: ["1", "two", null],
  });
});

const allowed = [
  "SELECT 1",
  "(SELECT 1) UNION SELECT 2",
  "WITH a AS (SELECT 1) SELECT * FROM a",
  "-- COMMIT\nSELECT 1",
  "/* ROLLBACK */ INSERT INTO t VALUES (1)",
  "SET LOCAL lock_timeout = '1s'",
  "set transaction isolation level serializable",
  "SET CONSTRAINTS ALL DEFERRED",
  "CREATE TABLE begin_with (a int)",
  "LOCK TABLE t",
];
for (const text of allowed) {
  Deno.test(`userStatement lets '${text}' through`, () => {
    assertEquals(userStatement({ strings: [text], values: [] }).text, text);
  });
}

const refused = [
  ...[
    "BEGIN",
    "commit",
    "COMMIT AND CHAIN",
    "end",
    "Rollback to a",
    "ABORT",
    "START TRANSACTION",
    "SAVEPOINT a",
  ],
  ...[
    "RELEASE a",
    "PREPARE TRANSACTION 'a'",
    "EXECUTE a",
    "DEALLOCATE ALL",
    "DISCARD ALL",
    "LISTEN a",
    "RESET ALL",
  ],
  ...[
    "COPY t FROM STDIN",
    "SET search_path = a",
    "SET SESSION x = 1",
    " ;;\n commit",
    "-- a\n/* b */ COMMIT",
  ],
  ...["", "   ", "-- nothing", "SELECT '\0'"],
];
for (const text of refused) {
  Deno.test(`userStatement refuses '${text.replace("\0", "\\0")}'`, () => {
    assertThrows(() => userStatement({ strings: [text], values: [] }), IncorrectUsageError);
  });
}

Deno.test("userStatement refuses a parameter with a NUL character and more parameters than the protocol counts", () => {
  assertThrows(() => sql`SELECT ${"a\0b"}`, ProteanError, "NUL");
  const many = Array.from({ length: 65_534 }, () => 1);
  assertThrows(
    () => userStatement({ strings: ["SELECT ", ...many.map(() => ",")], values: many }),
    IncorrectUsageError,
    "65534 parameters",
  );
});
