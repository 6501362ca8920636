/**
 * PostgreSQL behind a pooler (D14): by session it is worked with, by transaction refused before anything is
 * set.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RefusedError } from "../../lib/errors.ts";
import { sql } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { PgBouncer, pgbouncerTest } from "../support/pgbouncer.ts";
import { sharedPostgres } from "../support/postgres_server.ts";
import { ORDERS, TestProvider } from "../support/postgres_provider.ts";

const database = sharedPostgres();

for (
  const [mode, poolSize] of [["transaction", 1], ["transaction", 2], ["transaction", 20], [
    "statement",
    2,
  ]] as const
) {
  pgbouncerTest(
    `a ${mode} pooler with ${poolSize} connections is refused, and keeps no setting of ours`,
    async () => {
      const { server, name } = await database();
      await using pooler = await PgBouncer.start(server, mode, poolSize);
      await using provider = new TestProvider({ uri: pooler.uri(name) });
      const setup = () => provider.setup("own", []);
      const error = await assertRejects(setup, RefusedError, "session port");
      assertEquals(error.code, "DATABASE_POOLER");
      await assertRejects(() => provider.ping(AbortSignal.timeout(5000)), RefusedError, "session port");
      // Whoever shares the pooler writes as before.
      const { success } = await new Deno.Command("psql", {
        args: ["-X", "-q", "-v", "ON_ERROR_STOP=1", pooler.uri(name), "-c", "create table t (a int)"],
        stdout: "null",
        stderr: "null",
      }).output();
      assertEquals(success, true);
    },
  );
}

pgbouncerTest("a pooler that lends whole sessions is worked with", async () => {
  const { server, name } = await database();
  await using pooler = await PgBouncer.start(server, "session", 20);
  await using provider = await TestProvider.ready({ uri: pooler.uri(name) });
  await provider.commit({ rows: [{ table: ORDERS, id: "o-1", state: "{}", expected: -1 }] });
  const session = provider.session();
  assertEquals((await session.load(ORDERS, "o-1"))?.version, 0);
  await session.rollback();
});

pgbouncerTest("a pooler that refuses the options of the address is told with what to remove", async () => {
  const { server, name } = await database();
  await using pooler = await PgBouncer.start(server, "session", 5);
  const uri = `${pooler.uri(name)}?options=-c%20statement_timeout%3D5s`;
  await using provider = new TestProvider({ uri });
  const { message, code } = await assertRejects(() => provider.setup("own", []), RefusedError);
  assertStringIncludes(message, "unsupported startup parameter: options: remove it from the database_uri");
  assertEquals(code, "DATABASE_REFUSED");
});

pgbouncerTest(
  "a pooler that takes no more clients for now is waited for, as PostgreSQL is (POOL-2)",
  async () => {
    const { server, name } = await database();
    await using pooler = await PgBouncer.start(server, "session", 20, 4);
    await using hog = await TestProvider.ready({
      uri: pooler.uri(name),
      settings: { pool_size: 4, max_overflow: 0 },
    });
    const held = Array.from({ length: 4 }, () => hog.session());
    await Promise.all(held.map((session) => session.query(sql`select 1`)));
    const opened = openingsRefused();
    await using provider = new TestProvider({ uri: pooler.uri(name), settings: { pool_timeout: 20 } });
    const session = provider.session();
    const found = session.query(sql`select 1 as one`);
    await opened;
    for (const session of held) await session.rollback();
    await hog.close();
    assertEquals(await found, [{ one: 1 }]);
    await session.rollback();

    /** A client of its own is refused: so is whoever comes now. */
    async function openingsRefused(): Promise<void> {
      const { success, stderr } = await new Deno.Command("psql", {
        args: ["-X", "-c", "select 1", pooler.uri(name)],
        stdout: "null",
      }).output();
      assertEquals(success, false);
      assertStringIncludes(new TextDecoder().decode(stderr), "no more connections allowed");
    }
  },
);
