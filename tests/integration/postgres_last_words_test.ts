/**
 * The reason why a server ends a connection, in the error of whoever used it: the driver drops it, whether a
 * statement ran or not.
 */
import { assertRejects, assertStringIncludes } from "@std/assert";
import { ProviderUnavailableError } from "../../lib/errors.ts";
import { sql } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const database = sharedPostgres();

async function isGone(db: PostgresDatabase, pid: unknown): Promise<boolean> {
  return (await db.sql(`select count(*) from pg_stat_activity where pid = ${pid}`))[0] === "0";
}

const pidOf = async (session: ReturnType<TestProvider["session"]>): Promise<unknown> =>
  (await session.query(sql`select pg_backend_pid() as pid`))[0]?.["pid"];

postgresTest(
  "a session that idled in its transaction for longer than the server allows says so",
  async () => {
    const db = await database();
    const query = "options=-c%20idle_in_transaction_session_timeout%3D100";
    await using provider = new TestProvider({ uri: db.uri({ query }) });
    const session = provider.session();
    const pid = await pidOf(session);
    await eventually("the server's ending the session", () => isGone(db, pid));
    const { message } = await assertRejects(() => session.query(sql`select 1`), ProviderUnavailableError);
    assertStringIncludes(message, "idle-in-transaction timeout (SQLSTATE 25P03)");
    await session.rollback();
  },
);

postgresTest("a statement whose session an operator has ended says so", async () => {
  const db = await database();
  await using provider = new TestProvider({ uri: db.uri() });
  const session = provider.session();
  const pid = await pidOf(session);
  const running = assertRejects(() => session.query(sql`select pg_sleep(60)`), ProviderUnavailableError);
  await eventually(
    "the statement to run",
    async () =>
      (await db.sql(`select count(*) from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`))[
        0
      ] ===
        "1",
  );
  await db.sql(`select pg_terminate_backend(${pid})`);
  assertStringIncludes((await running).message, "due to administrator command (SQLSTATE 57P01)");
  await session.rollback();
});
