/**
 * A PostgreSQL that is not there yet, goes away, or crashes in the middle of the work (HLT-3, F15).
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ProviderUnavailableError, UnavailableError } from "../../lib/errors.ts";
import { outboxInsert, soon, sql, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { PostgresServer, postgresTest } from "../support/postgres_server.ts";

const WORKERS = 8;
const MESSAGES = 60;

postgresTest(
  "a provider made before its server is up says so, and works once the server is there",
  async () => {
    await using server = await PostgresServer.start();
    await server.stop("fast");
    await using provider = new TestProvider({ uri: server.uri() });
    await provider.open();
    let hints = 0;
    provider.outbox.watch(() => hints++);
    const { message } = await assertRejects(
      () => provider.ping(AbortSignal.timeout(1000)),
      ProviderUnavailableError,
    );
    assertStringIncludes(message, "cannot be reached");
    for (
      const attempt of [
        () => provider.setup("own", []),
        () => provider.commit({ rows: [{ table: ORDERS, id: "o1", state: "{}", expected: -1 }] }),
        () => provider.outbox.stats(),
        () => provider.outbox.lease({ broker: "default", owner: "w1" }),
      ]
    ) await assertRejects(attempt, ProviderUnavailableError);
    await server.restart();
    await provider.ping(AbortSignal.timeout(5000));
    await provider.setup("own", []);
    const lease = await provider.outbox.lease({ broker: "default", owner: "w1" });
    assertEquals(await lease.claim(9), []);
    await lease.release();
    await eventually("The watcher's connection", () => hints > 0);
  },
);

postgresTest("a server that shuts down ends what runs with an error that waiting mends", async () => {
  await using server = await PostgresServer.start();
  await using provider = await TestProvider.ready({ uri: server.uri() });
  const session = provider.session();
  await session.load(ORDERS, "o1");
  const running = assertRejects(() => session.query(sql`select pg_sleep(60)`), ProviderUnavailableError);
  const asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
  await eventually("The statement's start", async () => (await server.sql(asleep))[0] === "1");
  await server.stop("fast");
  await soon(running, "The end of the statement");
  await session.rollback();
  await assertRejects(() => provider.ping(AbortSignal.timeout(1000)), ProviderUnavailableError);
  assertEquals(provider.poolStats().checkedOut, 0);
});

postgresTest(
  "a ping that gets no answer ends with its signal, and the next one is answered again",
  async () => {
    await using server = await PostgresServer.start();
    await using provider = await TestProvider.ready({ uri: server.uri() });
    await provider.ping(AbortSignal.timeout(5000));
    await server.freeze();
    await assertRejects(() => provider.ping(AbortSignal.timeout(100)));
    await server.thaw();
    await provider.ping(AbortSignal.timeout(5000));
  },
);

postgresTest("a crash in the middle of the work loses nothing and doubles nothing (F15)", async () => {
  await using server = await PostgresServer.start();
  await using provider = await TestProvider.ready({
    uri: server.uri(),
    settings: { pool_size: 4, max_overflow: 2 },
  });
  await server.sql("create table effects (message_id text not null)");
  let done = 0;
  let failed = 0;
  const deliver = async (messageId: string): Promise<boolean> => {
    const session = provider.session();
    try {
      if (!await session.mark({ handler: "h", type: "t", messageId })) return true;
      await session.query(sql`insert into effects (message_id) values (${messageId})`);
      await session.commit(writeSet({ outbox: [outboxInsert(`shop::order-${messageId}`, { messageId })] }));
      return true;
    } catch (error) {
      assert(error instanceof UnavailableError, `${error}`);
      failed++;
      return false;
    } finally {
      await session.rollback();
    }
  };
  const works = Array.from({ length: WORKERS }, async (_, worker) => {
    for (let number = 0; number < MESSAGES; number++) {
      while (!await deliver(`${worker}-${number}`)) await new Promise((resolve) => setTimeout(resolve, 20));
      done++;
    }
  });
  for (const share of [0.2, 0.6]) {
    await eventually("Some work", () => done >= share * WORKERS * MESSAGES);
    await server.stop("immediate");
    await server.restart();
  }
  await soon(Promise.all(works), "The end of the work");
  const total = String(WORKERS * MESSAGES);
  assertEquals(
    await server.sql(
      "select count(*), count(distinct message_id) from effects",
      "select count(*) from protean_outbox",
      "select count(*) from protean_processed",
    ),
    [`${total}|${total}`, total, total],
  );
  assert(failed > 0);
});
