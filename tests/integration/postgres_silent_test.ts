/**
 * Connections that fall silent in the middle of a statement, without a reset. Time is the test's; the looks
 * at the server are real.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { ProviderSession } from "../../lib/adapters/ports.ts";
import { ROUND_MS } from "../../lib/adapters/postgres/connection/silent_connections.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { ProviderUnavailableError } from "../../lib/errors.ts";
import {
  inSession,
  outboxInsert,
  soon,
  sql,
  writeSet,
} from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";

const start = sharedPostgres();

const MARK = { handler: "h", type: "t", messageId: "m1" };
const ORDER = { table: ORDERS, id: "o1", state: "{}", expected: -1 };

/** A provider behind a proxy, with its tables. */
class Setting implements AsyncDisposable {
  private constructor(
    readonly db: PostgresDatabase,
    readonly clock: FakeClock,
    readonly proxy: TcpProxy,
    readonly provider: TestProvider,
  ) {}

  static async make(settings: Readonly<Record<string, unknown>> = {}): Promise<Setting> {
    const db = await start();
    const clock = new FakeClock();
    const proxy = TcpProxy.start(db.server.port);
    // Ten minutes of the test's time: no look is given up because the test moves time faster than the server
    // works.
    const uri = `postgresql://postgres@127.0.0.1:${proxy.port}/${db.name}?connect_timeout=600`;
    const all = { pool_size: 3, max_overflow: 0, outbox_notify: false, ...settings };
    return new Setting(db, clock, proxy, await TestProvider.ready({ uri, clock, settings: all }));
  }

  /** Lets time pass until `work` rejects as a lost connection does; returns the message. */
  async lost(work: Promise<unknown>, step = ROUND_MS): Promise<string> {
    let settled = false;
    const ended = work.then(() => undefined, (error: unknown) => error).finally(() => settled = true);
    await this.pass("The end of the statement", () => settled, step);
    const error = await ended;
    assertInstanceOf(error, ProviderUnavailableError);
    return error.message;
  }

  /** Lets time pass until `done`, so many milliseconds at once. */
  async pass(what: string, done: () => boolean, step = ROUND_MS): Promise<void> {
    await eventually(what, async () => {
      if (!done()) await this.clock.advance(step);
      return done();
    });
  }

  /** Lets time pass until the server was asked `count` times, and has answered. */
  async looks(count: number): Promise<void> {
    const open = this.proxy.connections;
    for (let look = 0; look < count; look++) {
      const before = this.proxy.accepted;
      await this.pass("A look at the server", () => this.proxy.accepted > before);
      await eventually("The look's end", () => this.proxy.connections === open);
    }
  }

  /** Waits until the server shows as many backends of this database as `count` in this state. */
  backends(condition: string, count = 1): Promise<void> {
    const text = `select count(*) from pg_stat_activity where datname = '${this.db.name}'
      and pid <> pg_backend_pid() and ${condition}`;
    return eventually(condition, async () => Number((await this.db.sql(text))[0]) === count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A goodbye that is held would be waited for, in the test's time.
    this.proxy.letGo();
    await this.provider.close();
    await this.proxy[Symbol.asyncDispose]();
    assertEquals(this.clock.pending, 0, "no timer is left behind");
  }
}

const WAITS_FOR_LOCK = "wait_event_type = 'Lock'";

/** Somebody who holds the lock that `wait` waits for. */
async function holdLock(provider: TestProvider): Promise<ProviderSession> {
  const session = provider.session();
  await session.query(sql`select pg_advisory_xact_lock(1)`);
  return session;
}

const wait = (session: ProviderSession) =>
  session.query(sql`select 1 as one, pg_advisory_xact_lock(1)::text`);

postgresTest("a wait for a lock may take any time, also when its answer will not arrive", async () => {
  await using setting = await Setting.make();
  const { db, provider, proxy } = setting;
  await using other = new TestProvider({ uri: db.uri() });
  for (const swallowed of [false, true]) {
    const holder = await holdLock(other);
    const session = provider.session();
    // What is sent with BEGIN is simply sent again when a connection is lost.
    await session.query(sql`select 1`);
    let settled = false;
    const answer = wait(session).finally(() => settled = true);
    void answer.catch(() => {});
    await setting.backends(WAITS_FOR_LOCK);
    if (swallowed) proxy.swallow();
    await setting.looks(6);
    assertEquals(settled, false);
    await holder.rollback();
    if (swallowed) assertStringIncludes(await setting.lost(answer), "in the middle of a statement");
    else assertEquals((await soon(answer, "The answer"))[0]?.["one"], 1);
    await session.rollback();
  }
  assertEquals(provider.poolStats().checkedOut, 0);
  assertEquals(await inSession(provider, (session) => session.query(sql`select 1 as one`)), [{ one: 1 }]);
});

postgresTest("a backend that is stopped in the middle of its work is waited for", async () => {
  await using setting = await Setting.make();
  const { provider } = setting;
  const session = provider.session();
  const [backend] = await session.query(sql`select pg_backend_pid() as pid`);
  const pid = Number(backend?.["pid"]);
  const answer = session.query(sql`select 1 as one, pg_sleep(0.5)::text`);
  await setting.backends("wait_event = 'PgSleep'");
  Deno.kill(pid, "SIGSTOP");
  try {
    await setting.looks(6);
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
  assertEquals((await soon(answer, "The answer"))[0]?.["one"], 1);
  await session.rollback();
});

postgresTest("a statement whose backend has ended without a word ends too", async () => {
  await using setting = await Setting.make();
  const { db, provider, proxy } = setting;
  const session = provider.session();
  await session.query(sql`select 1`);
  const answer = session.query(sql`select pg_sleep(60)`);
  void answer.catch(() => {});
  await setting.backends("wait_event = 'PgSleep'");
  proxy.hold();
  await db.sql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
  assertStringIncludes(await setting.lost(answer), "does not know it any more");
  await session.rollback();
});

postgresTest(
  "a commit that was done and whose answer is lost fails, and its mark tells the next try",
  async () => {
    await using setting = await Setting.make();
    const { db, provider, proxy } = setting;
    // The statements are known to the connection from now on: nothing has to be asked before the commit.
    const first = provider.session();
    await first.mark({ ...MARK, messageId: "m0" });
    await first.commit(writeSet({ rows: [{ ...ORDER, id: "o0" }] }));
    const session = provider.session();
    assert(await session.mark(MARK));
    proxy.mute();
    const committing = session.commit(writeSet({ rows: [ORDER] }));
    void committing.catch(() => {});
    await eventually("The commit", async () => (await db.sql(`select id from ${ORDERS}`)).length === 2);
    proxy.heal();
    assertStringIncludes(await setting.lost(committing), "the server waits for us");
    assertEquals(await inSession(provider, (again) => again.mark(MARK)), false);
    assertEquals(provider.poolStats().checkedOut, 0);
  },
);

postgresTest("a commit that did not arrive fails, and holds no lock against the next try", async () => {
  await using setting = await Setting.make();
  const { db, provider, proxy } = setting;
  await provider.commit({ rows: [{ ...ORDER, id: "o0" }] });
  const session = provider.session();
  assert(await session.mark(MARK));
  proxy.hold();
  await setting.lost(session.commit(writeSet({ rows: [ORDER] })));
  const again = provider.session();
  assert(await soon(again.mark(MARK), "The next try"));
  await again.commit(writeSet({ rows: [ORDER] }));
  // The packet of the first try arrives after all, at nobody.
  proxy.letGo();
  assertEquals(await db.sql(`select version from ${ORDERS} where id = 'o1'`), ["0"]);
});

postgresTest(
  "a server that cannot be reached ends the statement; its locks go when it can be again",
  async () => {
    await using setting = await Setting.make();
    const { provider, proxy } = setting;
    await provider.commit({ rows: [{ ...ORDER, id: "o0" }] });
    const session = provider.session();
    await session.query(sql`select 1`);
    assert(await session.mark(MARK));
    proxy.hold();
    proxy.blackhole();
    assertStringIncludes(
      await setting.lost(session.commit(writeSet({ rows: [ORDER] })), 60_000),
      "the server cannot be reached",
    );
    await setting.backends("state = 'idle in transaction'");
    proxy.heal();
    let settled = false;
    const again = provider.session();
    assert(await again.mark(MARK));
    const committed = again.commit(writeSet({ rows: [ORDER] })).finally(() => settled = true);
    void committed.catch(() => {});
    await setting.pass("The next try", () => settled);
    await committed;
  },
);

postgresTest("a frozen server ends the statement, and the next one is answered after the thaw", async () => {
  await using setting = await Setting.make();
  const { db, provider } = setting;
  const session = provider.session();
  assert(await session.mark(MARK));
  await db.server.freeze();
  try {
    await setting.lost(session.commit(writeSet({ rows: [ORDER] })), 60_000);
  } finally {
    await db.server.thaw();
  }
  const done = await inSession(provider, (again) => again.mark(MARK));
  assertEquals(await db.sql(`select count(*) from ${ORDERS}`), [done ? "0" : "1"]);
});

postgresTest(
  "a lease whose connection falls silent fails, and its shards are free for the next",
  async () => {
    await using setting = await Setting.make();
    const { provider, proxy } = setting;
    await provider.commit({ outbox: [outboxInsert("shop::order-1")] });
    const options = { broker: "default", owner: "w1" };
    const lease = await provider.outbox.lease(options);
    proxy.hold();
    await setting.lost(lease.claim(10));
    await lease.release();
    const next = await provider.outbox.lease(options);
    await eventually("The shards", async () => {
      await next.share();
      return next.shards.length === 16;
    });
    assertEquals((await next.claim(10)).length, 1);
    await next.release();
  },
);

postgresTest("closing waits for no server that is being asked in vain", async () => {
  await using setting = await Setting.make();
  const { provider, proxy } = setting;
  const session = provider.session();
  await session.load(ORDERS, "o1");
  proxy.blackhole();
  const before = proxy.accepted;
  const reading = assertRejects(() => session.load(ORDERS, "o1"), ProviderUnavailableError);
  await setting.pass("A look at the server", () => proxy.accepted > before);
  await soon(provider.close(), "Closing");
  await reading;
  await session.rollback();
});

postgresTest("a pool with nothing to do is left alone", async () => {
  await using setting = await Setting.make();
  const { clock, provider, proxy } = setting;
  for (let id = 0; id < 5; id++) await provider.commit({ rows: [{ ...ORDER, id: `o${id}` }] });
  const ended = provider.session();
  await ended.load(ORDERS, "o1");
  await ended.rollback();
  const before = proxy.accepted;
  await clock.advance(100 * ROUND_MS);
  assertEquals([proxy.accepted, clock.pending], [before, 0]);
});
