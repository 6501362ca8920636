/**
 * What a unit of work promises beyond the conformance suite, on a real server.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import type { ProviderSession } from "../../lib/adapters/ports.ts";
import { LOCK_TIMEOUT_MS } from "../../lib/adapters/postgres/groups/statements.ts";
import {
  ConfigurationError,
  DuplicateMessageError,
  IncorrectUsageError,
  ProteanError,
  ProviderUnavailableError,
  ValidationError,
} from "../../lib/errors.ts";
import {
  inSession,
  outboxInsert,
  soon,
  sql,
  writeSet,
} from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";

const start = sharedPostgres();

const row = (id: string, expected: number | undefined, state: unknown) => ({
  table: ORDERS,
  id,
  expected,
  state: JSON.stringify(state),
});

postgresTest("a session holds a connection from its first own statement to its end (POOL-3)", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const session = provider.session();
  assertEquals(provider.poolStats().checkedOut, 0);
  await session.load(ORDERS, "o1");
  await session.mark({ handler: "h", type: "t", messageId: "m" });
  assertEquals(provider.poolStats().checkedOut, 0);
  await session.query(sql`select 1`);
  assertEquals(provider.poolStats().checkedOut, 1);
  await session.commit(writeSet({}));
  assertEquals(provider.poolStats().checkedOut, 0);
});

postgresTest("columns come as on SQLite where both have the type, and times are UTC", async () => {
  const db = await start();
  await db.sql("alter role postgres set timezone = 'America/New_York'");
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const [found] = await inSession(
    provider,
    (session) =>
      session.query(sql`select 1::int2 as small, 2::int4 as int, 3::int8 as big, 9007199254740993 as huge,
      1.5::float8 as float, 10.50::numeric as price, count(*) as count, avg(n) as avg, true as yes, null as none,
      timestamptz '2026-01-02 03:04:05.5+02' as at, timestamp '2026-01-02 03:04:05' as wall, date '2026-01-02' as day,
      '{"a": 1.0}'::jsonb as json, ${new Uint8Array([1, 255])}::bytea as bytes, array[1,2] as list,
      ${"2026-01-02 03:04:05"}::timestamptz as given, ${true}::boolean as flag
      from generate_series(1, 2) as n`),
  );
  assertEquals(found, {
    ...{ small: 1, int: 2, big: 3, huge: 9007199254740993n, float: 1.5, price: 10.5, count: 2, avg: 1.5 },
    ...{
      yes: true,
      none: null,
      at: "2026-01-02T01:04:05.5Z",
      wall: "2026-01-02T03:04:05",
      day: "2026-01-02",
    },
    ...{ json: '{"a": 1.0}', bytes: new Uint8Array([1, 255]), list: "{1,2}" },
    ...{ given: "2026-01-02T03:04:05Z", flag: true },
  });
});

postgresTest("a statement of the user's finds the tables of the configured schema", async () => {
  const db = await start();
  const settings = { schema: "Team A" };
  await using provider = await TestProvider.ready({ uri: db.uri(), settings });
  await provider.commit({ rows: [row("o1", -1, {})] });
  const rows = await inSession(provider, (session) => session.query(sql`select id from protean_shop_order`));
  assertEquals(rows, [{ id: "o1" }]);
  assertEquals(await db.sql(`select count(*) from "Team A".protean_shop_order`), ["1"]);
});

postgresTest("a session that is cut stops its statement on the server too", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const asleep =
    "select count(*) from pg_stat_activity where query like '%pg_sleep(60%' and pid <> pg_backend_pid()";
  const session = provider.session();
  const sleeping = assertRejects(() => session.query(sql`select pg_sleep(60)`), ProviderUnavailableError);
  await eventually("The statement's start", async () => (await db.sql(asleep))[0] === "1");
  session.abandon();
  await soon(sleeping, "The end of the cut statement");
  await eventually("The statement's end", async () => (await db.sql(asleep))[0] === "0");
  assertEquals(provider.poolStats().checkedOut, 0);
});

postgresTest(
  "waiting for a connection ends with the session's signal or when the session is cut",
  async () => {
    const db = await start();
    const settings = { pool_size: 1, max_overflow: 0 };
    await using provider = await TestProvider.ready({ uri: db.uri(), settings });
    const holder = provider.session();
    await holder.query(sql`select 1`);
    const calls = [
      (session: ProviderSession) => session.load(ORDERS, "o1"),
      (session: ProviderSession) => session.list(ORDERS, { limit: 1 }),
      (session: ProviderSession) => session.mark({ handler: "h", type: "t", messageId: "m" }),
      (session: ProviderSession) => session.query(sql`select 1`),
      (session: ProviderSession) => session.commit(writeSet({ rows: [row("o1", -1, {})] })),
    ];
    for (const call of calls) {
      const abort = new AbortController();
      const signalled = call(provider.session({ signal: abort.signal })).catch((reason) => reason);
      const cut = provider.session();
      const waiting = assertRejects(() => call(cut), IncorrectUsageError, "has ended");
      abort.abort();
      cut.abandon();
      assertStrictEquals(await signalled, abort.signal.reason);
      await waiting;
    }
    await holder.rollback();
    await provider.commit({ rows: [row("o2", -1, {})] });
    assertEquals(await db.sql(`select id from ${ORDERS}`), ["o2"]);
    assertEquals(provider.poolStats(), { size: 1, checkedOut: 0, overflow: 0, checkedIn: 1 });
  },
);

postgresTest("a session whose signal has aborted may still commit what it has done", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const abort = new AbortController();
  const session = provider.session({ signal: abort.signal });
  await session.load(ORDERS, "o1");
  const untouched = provider.session({ signal: abort.signal });
  abort.abort();
  await provider.commit({ rows: [row("o0", -1, {})] });
  await session.commit(writeSet({ rows: [row("o1", -1, {})] }));
  await untouched.commit(writeSet({ rows: [row("o2", -1, {})] }));
  assertEquals(await db.sql(`select id from ${ORDERS} order by id`), ["o0", "o1", "o2"]);
});

postgresTest("an idle connection that the server has killed costs the next session nothing", async () => {
  const db = await start();
  const settings = { pool_size: 3, max_overflow: 0, outbox_notify: false };
  await using provider = await TestProvider.ready({
    uri: db.uri({ query: "application_name=shop" }),
    settings,
  });
  for (let round = 0; round < 20; round++) {
    const sessions = Array.from({ length: 3 }, () => provider.session());
    await Promise.all(sessions.map((session) => session.load(ORDERS, "o1")));
    await Promise.all(sessions.map((session) => session.rollback()));
    await db.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'shop'",
    );
    await provider.commit({
      rows: [row(`o${round}`, -1, {})],
      outbox: [outboxInsert(`shop::order-${round}`)],
    });
  }
  assertEquals(await db.sql("select count(*) from protean_outbox"), ["20"]);
});

postgresTest(
  "a commit whose connection is killed while it waits leaves nothing behind, and says so",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({ uri: db.uri() });
    const first = provider.session();
    await first.flush(writeSet({ rows: [row("o1", -1, { by: "first" })] }));
    const second = provider.session();
    await second.load(ORDERS, "o2");
    const killed = assertRejects(
      () =>
        second.commit(
          writeSet({ rows: [row("o1", -1, {}), row("o2", -1, {})], outbox: [outboxInsert("s-1")] }),
        ),
      ProviderUnavailableError,
    );
    const waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock'";
    await eventually("The wait for a lock", async () => (await db.sql(waiting)).length === 1);
    await db.sql(`select pg_terminate_backend(pid) from (${waiting}) as w`);
    await killed;
    await first.commit(writeSet({}));
    assertEquals(await db.sql(`select id from ${ORDERS}`, "select count(*) from protean_outbox"), [
      "o1",
      "0",
    ]);
  },
);

postgresTest(
  "a commit whose answer is lost is not taken for one that failed: the mark tells (F20)",
  async () => {
    const db = await start();
    await using proxy = TcpProxy.start(db.server.port);
    const settings = { pool_size: 1, max_overflow: 0 };
    const uri = `postgresql://postgres@127.0.0.1:${proxy.port}/${db.name}`;
    await using provider = await TestProvider.ready({ uri, settings });
    const mark = { handler: "h", type: "t", messageId: "m1" };
    // The statements are known to the connection from now on: nothing has to be asked before the commit.
    const before = provider.session();
    await before.mark({ ...mark, messageId: "m0" });
    await before.commit(writeSet({ rows: [row("o0", -1, {})] }));
    const session = provider.session();
    assert(await session.mark(mark));
    proxy.mute();
    const committing = assertRejects(
      () => session.commit(writeSet({ rows: [row("o1", -1, {})] })),
      ProviderUnavailableError,
    );
    await eventually("The commit", async () => (await db.sql(`select id from ${ORDERS}`)).length === 2);
    proxy.cut();
    await committing;
    proxy.heal();
    assertEquals(await inSession(provider, (again) => again.mark(mark)), false);
  },
);

postgresTest("a concurrent duplicate waits for the first, and is then told that it is one", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const mark = { handler: "h", type: "t", messageId: "m1" };
  for (const outcome of ["rollback", "commit"] as const) {
    const first = provider.session();
    await first.query(sql`select 1`);
    assert(await first.mark(mark));
    const [second, third] = [provider.session(), provider.session()];
    await second.query(sql`select 1`);
    let answered = 0;
    const answer = second.mark(mark).finally(() => answered++);
    assert(await third.mark(mark), "what is not committed is not seen");
    const committing = third.commit(writeSet({})).then(() => true, (error) => error).finally(() =>
      answered++
    );
    const waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    await eventually("The duplicates' waits", async () => (await db.sql(waiting))[0] === "2");
    // For longer than a group waits for a lock.
    await eventually(
      "A wait outside of groups",
      async () =>
        (await db.sql(
          `${waiting} and clock_timestamp() - query_start > interval '${2 * LOCK_TIMEOUT_MS} ms'`,
        ))[0] ===
          "2",
    );
    assertEquals(answered, 0);
    if (outcome === "commit") await first.commit(writeSet({}));
    else await first.rollback();
    const isMine = await answer;
    await second.rollback();
    const committed = await committing;
    if (outcome === "rollback") assertEquals(committed, true, "whoever of the two was first");
    else {
      assertEquals(isMine, false);
      assertInstanceOf(committed, DuplicateMessageError);
    }
    await db.sql("delete from protean_processed");
  }
});

postgresTest("a statement that strays out of its transaction cannot write", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({
    uri: db.uri(),
    settings: { pool_size: 1, max_overflow: 0 },
  });
  const writes = (expected: number) => ({
    rows: [row("o1", expected, {})],
    outbox: [outboxInsert("shop::order-1")],
  });
  await provider.commit(writes(-1));
  const session = provider.session();
  await session.load(ORDERS, "o1");
  // The driver sends a statement again whose preparation is gone, by then behind the COMMIT.
  await session.query(sql`do $$ begin execute 'deallocate all'; end $$`);
  await assertRejects(() => session.commit(writeSet(writes(0))), ProteanError);
  assertEquals(await db.sql("select count(*) from protean_outbox", `select version from ${ORDERS}`), [
    "1",
    "0",
  ]);
  await provider.commit(writes(0));
  assertEquals(await db.sql("select count(*) from protean_outbox", `select version from ${ORDERS}`), [
    "2",
    "1",
  ]);
});

postgresTest(
  "a table that changes under a prepared statement fails one unit of work, not the next",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({
      uri: db.uri(),
      settings: { pool_size: 1, max_overflow: 0 },
    });
    await provider.commit({ rows: [row("o1", -1, { a: 1 })] });
    await inSession(provider, (session) => session.load(ORDERS, "o1"));
    await db.sql(`alter table ${ORDERS} alter column state type json`);
    await inSession(provider, (session) => session.load(ORDERS, "o1")).catch((error) =>
      assertInstanceOf(error, ProteanError)
    );
    const found = await inSession(provider, (session) => session.load(ORDERS, "o1"));
    assertEquals(JSON.parse(found?.state ?? ""), { a: 1 });
  },
);

postgresTest("a state that the database cannot hold is refused as data, and the rest with it", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  for (const text of ["a\0b", "a\ud800b"]) {
    const writes = { rows: [row("o1", -1, { text })], outbox: [outboxInsert("s-1")] };
    await assertRejects(() => provider.commit(writes), ValidationError, "o1");
  }
  assertEquals(await db.sql("select count(*) from protean_outbox"), ["0"]);
});

postgresTest("more texts than are prepared still run, and leave no more behind", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({
    uri: db.uri(),
    settings: { pool_size: 1, max_overflow: 0 },
  });
  await inSession(provider, async (session) => {
    for (let number = 0; number < 400; number++) {
      const rows = await session.query({ strings: ["select ", `::int + ${number} as sum`], values: [1] });
      assertEquals(rows, [{ sum: number + 1 }]);
    }
    const [prepared] = await session.query(
      sql`select count(*) as statements from pg_prepared_statements where statement like '% as sum'`,
    );
    assertEquals(prepared, { statements: 256 });
  });
});

postgresTest("a name that PostgreSQL would cut is refused", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  const name = `protean_shop_${"long".repeat(13)}`;
  const { message } = await assertRejects(
    () => provider.setup("all", [{ kind: "aggregate", name }]),
    ConfigurationError,
  );
  assertStringIncludes(message, "63 bytes");
});
