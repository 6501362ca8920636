/**
 * A storm of killed backends through full units of work: nothing half-written, nothing lost, nothing doubled,
 * nothing left unsettled, and no error that nobody catches (delivery 13, platform PostgreSQL).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import postgres from "postgres";
import { ExpectedVersionError, IncorrectUsageError, UnavailableError } from "../../lib/errors.ts";
import { outboxInsert, soon, sql, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const WORKERS = 12;
const MESSAGES = 100;
const KEYS = 7;

const start = sharedPostgres({ settings: { deadlock_timeout: "50ms" } });

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Kills backends of the provider until `stop()`, which answers how many. */
function storm(db: PostgresDatabase, random: () => number) {
  const client = postgres(db.uri({ query: "application_name=killer" }), { max: 1, onnotice: () => {} });
  const abort = new AbortController();
  const raging = (async () => {
    let killed = 0;
    while (!abort.signal.aborted) {
      const backends =
        await client`select pid from pg_stat_activity where application_name = 'shop' order by pid`;
      for (const { pid } of backends) {
        if (random() < 0.15) killed += (await client`select pg_terminate_backend(${pid})`).length;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await client.end();
    return killed;
  })();
  return {
    stop: () => {
      abort.abort();
      return raging;
    },
  };
}

/** Errors that reach nobody, while `work` runs. */
async function uncaughtDuring(work: () => Promise<void>): Promise<readonly unknown[]> {
  const caught: unknown[] = [];
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    caught.push(event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    caught.push(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  try {
    await work();
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  }
  return caught;
}

/** What became of one delivery. */
type Outcome = "committed" | "known" | "failed" | "conflict";

/** A handler that changes an order, writes to a table of its own and raises an event, in one unit of work. */
async function deliver(
  provider: TestProvider,
  messageId: string,
  key: string,
  cut: boolean,
): Promise<Outcome> {
  const session = provider.session();
  try {
    if (!await session.mark({ handler: "shop.Handler", type: "t", messageId })) return "known";
    await session.query(sql`insert into effects (message_id) values (${messageId})`);
    const order = await session.load(ORDERS, key);
    const count = order ? Number(JSON.parse(order.state).count) : 0;
    if (cut) session.abandon();
    await session.commit(writeSet({
      rows: [{
        table: ORDERS,
        id: key,
        state: JSON.stringify({ count: count + 1 }),
        expected: order?.version ?? -1,
      }],
      outbox: [outboxInsert(`shop::order-${key}`, { messageId })],
    }));
    return "committed";
  } catch (error) {
    if (error instanceof ExpectedVersionError) return "conflict";
    assert(error instanceof UnavailableError || cut && error instanceof IncorrectUsageError, `${error}`);
    return "failed";
  } finally {
    await session.rollback();
  }
}

postgresTest("killed backends leave nothing half-written, lost, doubled or unsettled", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seeded(seed);
  const db = await start();
  const settings = { pool_size: 4, max_overflow: 3 };
  await using provider = await TestProvider.ready({
    uri: db.uri({ query: "application_name=shop" }),
    settings,
  });
  await db.sql("create table effects (message_id text not null)");
  const outcomes: Record<Outcome, number> = { committed: 0, known: 0, failed: 0, conflict: 0 };
  const committed: string[] = [];
  const work = async (worker: number) => {
    for (let number = 0; number < MESSAGES; number++) {
      const messageId = `${worker}-${number}`;
      for (;;) {
        const outcome = await deliver(provider, messageId, `o${number % KEYS}`, random() < 0.02);
        outcomes[outcome]++;
        if (outcome === "committed") committed.push(messageId);
        if (outcome === "committed" || outcome === "known") break;
      }
    }
  };
  const raging = storm(db, random);
  let killed = 0;
  const uncaught = await uncaughtDuring(async () => {
    const works = Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
    await Promise.race([
      works,
      new Promise((_, reject) => {
        const timer = setTimeout(() => reject(new Error(`Work never settled (seed ${seed}).`)), 60_000);
        void works.finally(() => clearTimeout(timer));
      }),
    ]);
    killed = await raging.stop();
  });
  const told = `seed ${seed}, killed ${killed}, ${JSON.stringify(outcomes)}`;
  const total = WORKERS * MESSAGES;
  assert(killed > 10, told);
  assertEquals(uncaught, [], told);
  assertEquals(
    await db.sql(
      "select count(*), count(distinct message_id) from effects",
      "select count(*) from protean_outbox",
      "select count(*) from protean_processed",
      `select sum((state ->> 'count')::int), sum(version + 1) from ${ORDERS}`,
    ),
    [`${total}|${total}`, `${total}`, `${total}`, `${total}|${total}`],
    told,
  );
  const effects = new Set(await db.sql("select message_id from effects"));
  assertEquals(committed.filter((messageId) => !effects.has(messageId)), [], told);
  assertEquals(provider.poolStats().checkedOut, 0, told);
  await soon(provider.commit({ rows: [] }), told);
});
