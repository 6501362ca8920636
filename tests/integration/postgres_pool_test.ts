/**
 * The pool on a real server: what the server sees of it (POOL-1 to POOL-4).
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { PoolTimeoutError, ProviderUnavailableError } from "../../lib/errors.ts";
import { inSession, soon, sql, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";

const start = sharedPostgres({ settings: { max_connections: "30", superuser_reserved_connections: "3" } });

/** Connections that the server has of a provider whose URI names it. */
const NAMED = { query: "application_name=shop" };
async function connections(db: PostgresDatabase): Promise<number> {
  const [count] = await db.sql("select count(*) from pg_stat_activity where application_name = 'shop'");
  return Number(count);
}

/** As many sessions as `count` with a transaction each, which a statement of the user's own begins. */
async function begin(provider: TestProvider, count: number) {
  const sessions = Array.from({ length: count }, () => provider.session());
  await Promise.all(sessions.map((session) => session.query(sql`select 1`)));
  return sessions;
}

postgresTest("overflow opens under load and closes when nobody wants it; the size stays open", async () => {
  const db = await start();
  const settings = { pool_size: 2, max_overflow: 3, overflow_idle_seconds: 0.2 };
  await using provider = await TestProvider.ready({ uri: db.uri(NAMED), settings });
  const sessions = await begin(provider, 5);
  assertEquals([await connections(db), provider.poolStats()], [
    5,
    { size: 2, checkedOut: 5, overflow: 3, checkedIn: 0 },
  ]);
  await Promise.all(sessions.map((session) => session.commit(writeSet({}))));
  assertEquals(provider.poolStats(), { size: 2, checkedOut: 0, overflow: 3, checkedIn: 5 });
  await eventually("The end of the overflow", async () => await connections(db) === 2);
  assertEquals(provider.poolStats(), { size: 2, checkedOut: 0, overflow: 0, checkedIn: 2 });
  await provider.close();
  await eventually("The end of all connections", async () => await connections(db) === 0);
});

postgresTest(
  "sessions that wait are served in turn, and the last of them is told the pool's state",
  async () => {
    const db = await start();
    const settings = { pool_size: 1, max_overflow: 1, pool_timeout: 0.5 };
    await using provider = await TestProvider.ready({ uri: db.uri(), settings });
    const [first, second] = await begin(provider, 2);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const session = provider.session();
      await session.query(sql`select 1`);
      order.push(number);
      await session.rollback();
    });
    // One connection for all: the answers of two would come in any order.
    await first?.rollback();
    await Promise.all(waiting);
    await second?.rollback();
    assertEquals(order, [1, 2, 3]);
    const again = await begin(provider, 2);
    const { message } = await assertRejects(() => provider.session().query(sql`select 1`), PoolTimeoutError);
    await assertRejects(() => provider.session().load(ORDERS, "o1"), PoolTimeoutError);
    const rows = [{ table: ORDERS, id: "o1", state: "{}", expected: -1 }];
    await assertRejects(() => provider.commit({ rows }), PoolTimeoutError);
    for (const part of ["'default'", "0.5 s", "size 1", "checked out 2", "overflow 1", "checked in 0"]) {
      assertStringIncludes(message, part);
    }
    for (const session of again) await session.rollback();
    assertEquals(await inSession(provider, (session) => session.query(sql`select 1 as one`)), [{ one: 1 }]);
  },
);

postgresTest("a hundred units of work at once go through one or two connections", async () => {
  const db = await start();
  const settings = { pool_size: 5 };
  await using provider = await TestProvider.ready({ uri: db.uri(NAMED), settings });
  const works = Array.from({ length: 100 }, async (_, index) => {
    const session = provider.session();
    const id = `o${index}`;
    await session.mark({ handler: "h", type: "t", messageId: id });
    const row = await session.load(ORDERS, id);
    await session.commit(
      writeSet({ rows: [{ table: ORDERS, id, state: "{}", expected: row?.version ?? -1 }] }),
    );
  });
  await soon(Promise.all(works), "A hundred commits");
  assert(await connections(db) <= 2);
  assertEquals(await db.sql(`select count(*) from ${ORDERS}`), ["100"]);
});

postgresTest("bursts of work use the overflow again instead of opening it anew", async () => {
  const db = await start();
  const settings = { pool_size: 1, max_overflow: 4, overflow_idle_seconds: 30 };
  await using provider = await TestProvider.ready({ uri: db.uri(NAMED), settings });
  const pids = async () => {
    const sessions = await begin(provider, 5);
    const rows = await Promise.all(
      sessions.map((session) => session.query(sql`select pg_backend_pid() as pid`)),
    );
    await Promise.all(sessions.map((session) => session.commit(writeSet({}))));
    return rows.map(([row]) => Number(row?.["pid"])).sort();
  };
  const first = await pids();
  assertEquals(new Set(first).size, 5);
  for (let burst = 0; burst < 10; burst++) assertEquals(await pids(), first);
});

postgresTest("a connection older than pool_recycle is replaced", async () => {
  const db = await start();
  const settings = { pool_size: 1, max_overflow: 0, pool_recycle: 0 };
  await using provider = await TestProvider.ready({ uri: db.uri(), settings });
  const pid = () => inSession(provider, (session) => session.query(sql`select pg_backend_pid() as pid`));
  const first = await pid();
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert((await pid())[0]?.["pid"] !== first[0]?.["pid"]);
});

postgresTest("connections that a firewall has forgotten cost one ping, not an error", async () => {
  const db = await start();
  const clock = new FakeClock();
  await using proxy = TcpProxy.start(db.server.port);
  const uri = `postgresql://postgres@127.0.0.1:${proxy.port}/${db.name}`;
  await using provider = await TestProvider.ready({
    uri,
    clock,
    settings: { pool_size: 3, max_overflow: 0 },
  });
  for (const session of await begin(provider, 3)) await session.rollback();
  const before = proxy.accepted;
  proxy.swallow();
  // Idle for longer than a connection counts as fresh, so that it is asked.
  await clock.advance(600);
  const load = inSession(provider, (session) => session.load(ORDERS, "o1"));
  await eventually("The ping", () => clock.pending > 1);
  await clock.advance(5000);
  await soon(load, "A statement beside dead connections");
  assertEquals(proxy.accepted, before + 1);
  assertEquals(provider.poolStats(), { size: 3, checkedOut: 0, overflow: 0, checkedIn: 1 });
});

postgresTest("too many connections at the start are waited for, not an error (F17)", async () => {
  const db = await start();
  const settings = { pool_size: 6, max_overflow: 4 };
  await using hog = await TestProvider.ready({ uri: db.uri(), settings: { pool_size: 25, max_overflow: 0 } });
  const held = await begin(hog, 25);
  // A superuser would get the connections that are kept for superusers.
  await db.sql("create role joe login", `grant select on ${ORDERS} to joe`);
  await using provider = new TestProvider({ uri: db.uri({ user: "joe" }), settings });
  const sessions = Array.from({ length: 10 }, () => provider.session());
  const loads = Promise.all(sessions.map((session) => session.query(sql`select 1`)));
  const connected = "select count(*) from pg_stat_activity where usename = 'joe'";
  await eventually("The last free connection", async () => (await db.sql(connected))[0] === "2");
  for (const session of held) await session.rollback();
  await hog.close();
  await soon(loads, "The start of all sessions");
  for (const session of sessions) await session.rollback();
});

postgresTest(
  "too many connections for longer than pool_timeout are an error that says what to do",
  async () => {
    const db = await start();
    await using hog = await TestProvider.ready({
      uri: db.uri(),
      settings: { pool_size: 26, max_overflow: 0 },
    });
    const held = await begin(hog, 26);
    await using provider = new TestProvider({
      uri: db.uri({ user: "ann" }),
      settings: { pool_timeout: 0.3 },
    });
    await db.sql("create role ann login");
    const sessions = Array.from({ length: 3 }, () => provider.session());
    const results = await Promise.allSettled(sessions.map((session) => session.query(sql`select 1`)));
    const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
    assert(refused.length > 0);
    for (const reason of refused) {
      assert(reason instanceof ProviderUnavailableError, `${reason}`);
      assertStringIncludes(reason.message, "max_connections");
    }
    for (const session of [...sessions, ...held]) await session.rollback();
  },
);

postgresTest("a ping is answered while every connection of the pool is in use", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({
    uri: db.uri(),
    settings: { pool_size: 1, max_overflow: 0 },
  });
  const [holder] = await begin(provider, 1);
  await provider.ping(AbortSignal.timeout(1000));
  await holder?.rollback();
});
