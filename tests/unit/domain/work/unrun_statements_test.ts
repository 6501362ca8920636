/** A statement of `ctx.sql` that nobody awaits never runs: that must not stay unnoticed (D27). */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Context, IncorrectUsageError, type Sql } from "@protean/server";
import { logged } from "../../../support/logged.ts";
import { inSqlite, outbox, shop, started } from "../fixture.ts";

type Work = (ctx: Context, orders: ReturnType<Sql>) => unknown;

/** Runs it in a unit of work that also publishes; returns the published, and what the log says. */
async function run(work: Work): Promise<{ error: unknown; published: number; warned: unknown[] }> {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    let error: unknown;
    const records = await logged(async () => {
      const working = my.domain.unitOfWork(async (ctx) => {
        await ctx.publish(my.OrderPlaced, { orderId: "1", amount: 1 });
        return await work(ctx, ctx.sql("protean_my_domain_order") as ReturnType<Sql>);
      });
      await working.catch((thrown) => error = thrown);
    });
    const warned = records.filter(({ rawMessage }) => rawMessage === "unit_of_work.statement_not_run");
    return {
      error,
      published: (await outbox(running.runtime)).length,
      warned: warned.map(({ properties }) => properties["statement"]),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const changing: Record<string, [Work, string]> = {
  "updates": [
    (ctx, orders) => void ctx.sql`update ${orders} set state = ${"secret"} where id = ${"1"}`,
    'update "protean_my_domain_order" set state = ? where id = ?',
  ],
  "deletes, among others that ran": [
    async (ctx, orders) => {
      await ctx.sql`select 1 as one`;
      void ctx.sql`
        -- away with it
        delete from ${orders} where id = 'secret' and version > 100000000`;
    },
    "delete from \"protean_my_domain_order\" where id = '…' and ve…",
  ],
  "inserts in a handler that returns something else": [
    (ctx, orders) => {
      void ctx.sql`INSERT INTO ${orders} (id) VALUES (${"secret"})`;
      return "done";
    },
    'INSERT INTO "protean_my_domain_order" (id) VALUES (?)',
  ],
  "changes behind WITH": [
    (ctx, orders) => void ctx.sql`with a as (select 1) update ${orders} set id = ${"secret"}`,
    'with a as (select 1) update "protean_my_domain_order" set id…',
  ],
  "creates": [(ctx) => void ctx.sql`create table effects (name text)`, "create table effects (name text)"],
};

for (const [what, [work, told]] of Object.entries(changing)) {
  Deno.test(`a statement that ${what} and is not awaited fails the unit of work, and is named without its values`, async () => {
    const { error, published } = await run(work);
    await assertRejects(
      () => Promise.reject(error),
      IncorrectUsageError,
      "was never awaited and has not run",
    );
    const { message } = error as Error;
    assertStringIncludes(message.replace("-- away with it ", ""), told.slice(0, 40));
    assertEquals([message.includes("secret"), published], [false, 0]);
  });
}

const harmless: Record<string, Work> = {
  "every statement is awaited": (ctx, orders) =>
    Promise.all([ctx.sql`delete from ${orders}`, ctx.sql`select 1`]),
  "the statement is what the work returns": (ctx, orders) => ctx.sql`delete from ${orders}`,
  "a part is put into another statement": async (ctx, orders) => {
    const some = ctx.sql`select id from ${orders}`;
    await ctx.sql`delete from ${orders} where id in (${some})`;
  },
  "a part is not needed in the end": (ctx) =>
    void [
      ctx.sql`where id = ${1}`,
      ctx.sql`set a = ${1}`,
      ctx.sql`update set a = 1`,
      ctx.sql`replace(a, 'b')`,
    ],
};

for (const [what, work] of Object.entries(harmless)) {
  Deno.test(`nothing is said where ${what}`, async () => {
    assertEquals(await run(work), { error: undefined, published: 1, warned: [] });
  });
}

Deno.test("a query that only reads and is not awaited is told in the log", async () => {
  const { error, published, warned } = await run((ctx, orders) =>
    void ctx.sql`with a as (select 1) select * from ${orders} where id = ${"secret"} for update of a`
  );
  assertEquals([error, published], [undefined, 1]);
  assertEquals(warned, ['with a as (select 1) select * from "protean_my_domain_order"…']);
});
