/**
 * Statements that wait for somebody else's lock, while the database answers pings (issue 9, point 1). Time is
 * the test's; the looks at the server are real.
 */
import { assertEquals, assertMatch } from "@std/assert";
import postgres from "postgres";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { sql } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

async function open(database: PostgresDatabase, clock: FakeClock): Promise<TestProvider> {
  await database.sql("create table stock (id text primary key, n int)", "insert into stock values ('a', 1)");
  return await TestProvider.ready({ uri: database.uri(), clock, settings: { outbox_notify: false } });
}

const waits = async (database: PostgresDatabase) =>
  (await database.sql(
    "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
  )).length > 0;

postgresTest(
  "a statement behind somebody else's lock is told with who holds it, until it is answered",
  async () => {
    const [database, clock] = [await start(), new FakeClock()];
    await using provider = await open(database, clock);
    const outsider = postgres(database.uri(), {
      ...{ max: 1, onnotice: () => {} },
      connection: { application_name: "nightly job" },
    });
    const session = provider.session();
    let work: Promise<unknown> = Promise.resolve();
    await outsider.begin(async (tx) => {
      await tx`lock table stock in access exclusive mode`;
      work = session.query(sql`select n from stock`);
      work.catch(() => {}); // It is awaited below.
      await eventually("the wait for the lock", () => waits(database));
      assertEquals(await provider.heldUp(), undefined);
      await clock.advance(1_000);
      assertMatch(
        await provider.heldUp() ?? "",
        /lock that session \d+ of postgres 'nightly job' for \d+ s holds/,
      );
    });
    await work;
    assertEquals(await provider.heldUp(), undefined);
    await session.rollback();
    await outsider.end();
  },
);

postgresTest(
  "handlers that wait for each other, and statements that take long, are held up by nobody",
  async () => {
    const [database, clock] = [await start(), new FakeClock()];
    await using provider = await open(database, clock);
    const [first, second, third] = [provider.session(), provider.session(), provider.session()];
    await first.query(sql`update stock set n = 2 where id = 'a'`);
    const blocked = second.query(sql`update stock set n = 3 where id = 'a'`);
    blocked.catch(() => {}); // It is awaited below.
    const long = third.query(sql`select pg_sleep(0.5)`);
    await eventually("the wait for the lock", () => waits(database));
    await clock.advance(1_000);
    assertEquals(await provider.heldUp(), undefined);
    await first.rollback();
    await Promise.all([blocked, long]);
    await Promise.all([second.rollback(), third.rollback()]);
  },
);
