import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "../../../support/property.ts";
import { IncorrectUsageError } from "@protean/server";
import type { SqlStatement, SqlValue } from "@protean/server/adapters";
import { sqlTag } from "../../../../lib/domain/work/sql.ts";

function recorded(rows: readonly Record<string, unknown>[] = []) {
  const statements: SqlStatement[] = [];
  const sql = sqlTag((statement) => {
    statements.push(statement);
    return Promise.resolve(rows);
  });
  return { sql, statements };
}

Deno.test("a statement runs when it is awaited, once, and not before", async () => {
  const { sql, statements } = recorded([{ n: 1 }]);
  const query = sql`select ${1} as n`;
  await Promise.resolve();
  assertEquals(statements.length, 0);
  assertEquals(await query, [{ n: 1 }]);
  assertEquals(await query, [{ n: 1 }]);
  assertEquals(statements, [{ strings: ["select ", " as n"], values: [1] }]);
});

Deno.test("fragments are put in place with their values, however deep", async () => {
  const { sql, statements } = recorded();
  const state = sql`state = ${"placed"}`;
  const filter = sql`where (${state} or ${state}) and n > ${5}`;
  await sql`select * from ${sql("shop.order")} ${filter} limit ${10}`;
  assertEquals(statements, [{
    strings: ['select * from "shop"."order" where (state = ', " or state = ", ") and n > ", " limit ", ""],
    values: ["placed", "placed", 5, 10],
  }]);
});

Deno.test("an identifier can be nothing but a name", () => {
  const { sql } = recorded();
  const text = (name: string) =>
    (sql`${sql(name)}` as unknown as { statement: SqlStatement }).statement.strings[0];
  assertEquals(text("order"), '"order"');
  assertEquals(text("a.b.c"), '"a"."b"."c"');
  assertEquals(text('x"; drop table y; --'), '"x""; drop table y; --"');
  for (const name of ["", ".", "a..b", "a.", "a\0b"]) assertThrows(() => sql(name), IncorrectUsageError);
});

Deno.test("values are turned into what every driver takes", async () => {
  const cases: [unknown, SqlValue][] = [
    ["text", "text"],
    [1.5, 1.5],
    [2n ** 62n, 2n ** 62n],
    [true, true],
    [null, null],
    [new Date("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000Z"],
    [{ a: [1, "x"] }, '{"a":[1,"x"]}'],
    [[1, 2], "[1,2]"],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ];
  for (const [value, expected] of cases) {
    const { sql, statements } = recorded();
    await sql`select ${value}`;
    assertEquals(statements[0]?.values, [expected]);
  }
});

Deno.test("values that no column holds are refused where the statement is written, by their place", () => {
  const { sql } = recorded();
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  for (
    const value of [undefined, NaN, Infinity, () => 1, Symbol("s"), new Date("never"), circular, { a: 1n }]
  ) {
    assertThrows(() => sql`select ${1}, ${value}`, IncorrectUsageError, "Value 2 of a ctx.sql statement");
  }
});

Deno.test("rows are plain objects whatever the driver makes of them", async () => {
  const bare = Object.assign(Object.create(null), { n: 1 });
  const { sql } = recorded([bare]);
  const [row] = await sql`select 1`;
  assertEquals(Object.getPrototypeOf(row), Object.prototype);
  assertEquals(row, { n: 1 });
});

Deno.test("a failure reaches everybody who awaits the statement", async () => {
  const sql = sqlTag(() => Promise.reject(new Error("no such table")));
  const query = sql`select 1`;
  await assertRejects(async () => await query, Error, "no such table");
  await assertRejects(async () => await query, Error, "no such table");
});

Deno.test("there is always one text more than there are values", () => {
  const { sql } = recorded();
  type Piece = number | Piece[];
  const { piece } = fc.letrec<{ piece: Piece }>((tie) => ({
    piece: fc.oneof({ maxDepth: 4 }, fc.nat(), fc.array(tie("piece"), { maxLength: 4 })),
  }));
  const build = (piece: Piece): unknown => {
    if (typeof piece === "number") return piece;
    const strings = Object.assign(Array.from({ length: piece.length + 1 }, () => "t"), { raw: [] });
    return sql(strings as unknown as TemplateStringsArray, ...piece.map(build));
  };
  const leaves = (piece: Piece): number[] => typeof piece === "number" ? [piece] : piece.flatMap(leaves);
  const texts = (piece: Piece): number =>
    typeof piece === "number"
      ? 0
      : piece.length + 1 + piece.reduce<number>((sum, inner) => sum + texts(inner), 0);
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    const { statement } = build(pieces) as { statement: SqlStatement };
    assertEquals(statement.strings.length, statement.values.length + 1);
    assertEquals(statement.values, leaves(pieces));
    assertEquals(statement.strings.join(""), "t".repeat(texts(pieces)));
  }));
});
