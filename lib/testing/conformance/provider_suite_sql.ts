/**
 * Rules of `ctx.sql`, the same statements on every provider that declares it.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IncorrectUsageError, NotSupportedError, ProteanError, RefusedError } from "../../errors.ts";
import {
  column,
  inSession,
  on,
  type ProviderRig,
  type Rule,
  soon,
  sql,
  writeSet,
} from "./provider_suite_rig.ts";

export function sqlRules(rule: Rule): void {
  /** Providers without SQL say so, whatever the statement. */
  const sqlRule = (sentence: string, prove: (rig: ProviderRig) => Promise<void>) =>
    rule(`${sentence}, or has no SQL`, async (rig) => {
      if (rig.provider.capabilities.sql) return await prove(rig);
      const ask = () => inSession(rig.provider, (session) => session.query(sql`SELECT 1 AS one`));
      await assertRejects(ask, NotSupportedError);
    });

  sqlRule("returns rows as objects", async ({ provider }) => {
    await inSession(provider, async (session) => {
      const rows = await session.query(
        sql`SELECT 1 AS one, ${"it's"} AS text UNION ALL SELECT 2, ${"äöü 😀"} ORDER BY 1`,
      );
      assertEquals(column(rows, "one"), [1, 2]);
      assertEquals(column(rows, "text"), ["it's", "äöü 😀"]);
      assertEquals(await session.query(sql`SELECT 1 AS one WHERE 1 = 2`), []);
    });
  });

  sqlRule("says which table a statement names that is not there", async ({ provider }) => {
    for (
      const statement of [
        sql`SELECT 1 FROM suite_never_made`,
        sql`INSERT INTO suite_never_made (a) VALUES (${1})`,
      ]
    ) {
      const ask = () => inSession(provider, (session) => session.query(statement));
      const { code } = await assertRejects(ask, RefusedError, "suite_never_made");
      assertEquals(code, "DATABASE_TABLE_MISSING");
    }
  });

  sqlRule("shows statements what the unit of work has flushed", async ({ provider, table, row, stored }) => {
    const session = provider.session();
    await session.flush(writeSet({ rows: [row("o1", -1, {})] }));
    const rows = await session.query(on(table, sql`SELECT id, version FROM $table WHERE id = ${"o1"}`));
    assertEquals([column(rows, "id"), column(rows, "version")], [["o1"], [0]]);
    assertEquals(await stored("o1"), undefined);
    await session.rollback();
  });

  sqlRule("commits and rolls statements back with the rest", async (rig) => {
    const { provider, row, stored } = rig;
    await createEffects(rig);
    const add = sql`INSERT INTO suite_effects (name, amount) VALUES (${"first"}, ${7})`;
    const cut = provider.session();
    await cut.query(add);
    await cut.flush(writeSet({ rows: [row("o1", -1, {})] }));
    assertEquals(column(await cut.query(sql`SELECT amount FROM suite_effects`), "amount"), [7]);
    await cut.rollback();
    assertEquals([await effects(rig), await stored("o1")], [[], undefined]);
    const session = provider.session();
    await session.query(add);
    await session.commit(writeSet({ rows: [row("o1", -1, {})] }));
    assertEquals([await effects(rig), (await stored("o1"))?.version], [["first 7"], 0]);
  });

  sqlRule("stores parameters of every kind as they are", async (rig) => {
    const { provider } = rig;
    await createEffects(rig);
    const texts = ["", "it's", '"quoted"', "back\\slash", "new\nline", "$1 ? :name", "äöü 😀", "5", "null"];
    const numbers = [0, -1, 2 ** 31 - 1, -(2 ** 31)];
    const session = provider.session();
    for (const text of texts) await session.query(sql`INSERT INTO suite_effects (name) VALUES (${text})`);
    for (const number of numbers) {
      await session.query(sql`INSERT INTO suite_effects (name, amount) VALUES (${"number"}, ${number})`);
    }
    await session.query(sql`INSERT INTO suite_effects (name, amount) VALUES (${"null"}, ${null})`);
    const named = await session.query(sql`SELECT name FROM suite_effects WHERE amount IS NULL ORDER BY at`);
    assertEquals(column(named, "name"), [...texts, "null"]);
    const stored = await session.query(
      sql`SELECT amount FROM suite_effects WHERE name = ${"number"} ORDER BY at`,
    );
    assertEquals(column(stored, "amount"), numbers);
    const large = await session.query(sql`SELECT CAST(${"9007199254740993"} AS bigint) AS large`);
    assertEquals(large.map(({ large }) => String(large)), ["9007199254740993"]);
    await session.commit(writeSet({}));
  });

  sqlRule("returns what a writing statement returns", async (rig) => {
    await createEffects(rig);
    const session = rig.provider.session();
    const rows = await session.query(
      sql`INSERT INTO suite_effects (name, amount) VALUES (${"a"}, 1), (${"b"}, 2) RETURNING name, amount`,
    );
    assertEquals(column(rows, "name"), ["a", "b"]);
    const moved = await session.query(
      sql`WITH doubled AS (SELECT name, amount * 2 AS amount FROM suite_effects)
        INSERT INTO suite_effects (name, amount) SELECT name, amount FROM doubled RETURNING amount`,
    );
    assertEquals(column(moved, "amount").map(Number).sort(), [2, 4]);
    assertEquals(await session.query(sql`UPDATE suite_effects SET amount = 0`), []);
    await session.commit(writeSet({}));
    assertEquals(await effects(rig), ["a 0", "a 0", "b 0", "b 0"]);
  });

  sqlRule("writes with a statement that begins like a query", async (rig) => {
    await createEffects(rig);
    const session = rig.provider.session();
    await session.query(
      sql`WITH one AS (SELECT ${"with"} AS name) INSERT INTO suite_effects (name, amount) SELECT name, 1 FROM one`,
    );
    await session.commit(writeSet({}));
    assertEquals(await effects(rig), ["with 1"]);
  });

  sqlRule("cannot commit after a statement of it has failed", async (rig) => {
    const { provider, row, stored } = rig;
    await createEffects(rig);
    for (
      const wrong of [
        sql`SELEC 1`,
        sql`SELECT * FROM suite_missing`,
        sql`INSERT INTO suite_effects (name) VALUES (${null})`,
      ]
    ) {
      const session = provider.session();
      await session.query(sql`INSERT INTO suite_effects (name) VALUES (${"lost"})`);
      await assertRejects(() => session.query(wrong), ProteanError);
      await assertRejects(() => session.commit(writeSet({ rows: [row("o1", -1, {})] })), ProteanError);
      await session.rollback();
      assertEquals([await effects(rig), await stored("o1")], [[], undefined]);
    }
  });

  sqlRule("loses no update of concurrent units of work", async (rig) => {
    const { provider, other } = rig;
    await createEffects(rig);
    const start = provider.session();
    await start.query(sql`INSERT INTO suite_effects (name, amount) VALUES (${"counter"}, 0)`);
    await start.commit(writeSet({}));
    const add = async (index: number) => {
      const session = (index % 2 ? provider : other).session();
      await session.query(sql`UPDATE suite_effects SET amount = amount + 1 WHERE name = ${"counter"}`);
      await session.commit(writeSet({}));
    };
    await soon(Promise.all(Array.from({ length: 20 }, (_, index) => add(index))), "Twenty updates");
    assertEquals(await effects(rig), ["counter 20"]);
  });

  sqlRule("lets others go on when a session that has written is cut", async (rig) => {
    await createEffects(rig);
    const cut = rig.provider.session();
    await cut.query(sql`INSERT INTO suite_effects (name, amount) VALUES (${"cut"}, 1)`);
    cut.abandon();
    await assertRejects(() => cut.query(sql`SELECT 1`), IncorrectUsageError, "has ended");
    const next = rig.provider.session();
    await soon(
      next.query(sql`INSERT INTO suite_effects (name, amount) VALUES (${"next"}, 1)`),
      "The next statement",
    );
    await next.commit(writeSet({}));
    assertEquals(await effects(rig), ["next 1"]);
    assert(rig.provider.capabilities.sql);
  });
}

/** A team's own table; `at` is the order of insertion. */
async function createEffects({ provider }: ProviderRig): Promise<void> {
  const session = provider.session();
  const key = provider.capabilities.embedded
    ? sql`CREATE TABLE suite_effects (at integer PRIMARY KEY, name text NOT NULL, amount integer)`
    : sql`CREATE TABLE suite_effects (at serial PRIMARY KEY, name text NOT NULL, amount integer)`;
  await session.query(key);
  await session.commit(writeSet({}));
}

/** What is committed, as `name amount`. */
async function effects({ provider }: ProviderRig): Promise<string[]> {
  const rows = await inSession(
    provider,
    (session) => session.query(sql`SELECT name, amount FROM suite_effects ORDER BY name, amount`),
  );
  return rows.map(({ name, amount }) => `${name} ${amount}`);
}
