/**
 * The outbox on a real server: several processors, dead ones among them, a long history, and hints (OBX-1,
 * OBX-2, OBX-6, F18, F19).
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import postgres from "postgres";
import type { OutboxLease, OutboxOutcome, OutboxRow, OutboxWaiting } from "../../lib/adapters/ports.ts";
import { Names } from "../../lib/adapters/postgres/connection/names.ts";
import { type Clock, systemClock } from "../../lib/async/clock.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { UnavailableError } from "../../lib/errors.ts";
import { leaseOf, names, published } from "../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert, soon, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

/** Row `number` of a stream, as its processors see it. */
interface Sent {
  readonly stream: string;
  readonly number: number;
}

const numbered = (stream: number, number: number) =>
  outboxInsert(`shop::order-${stream}`, { messageId: `${stream}/${number}` });

function sentOf({ messageId }: OutboxRow): Sent {
  const [stream = "", number = ""] = messageId.split("/");
  return { stream, number: Number(number) };
}

/** Commits `count` rows on 40 streams, in units of work of a few rows, several at a time. */
async function produce(provider: TestProvider, count: number): Promise<void> {
  const next = new Array<number>(40).fill(0);
  for (let made = 0; made < count;) {
    const works = Array.from({ length: 8 }, (_, worker) => {
      const rows = Array.from({ length: Math.min(5, count - made) }, () => {
        // Each of the units of work that run at once has streams of its own, so that they commit in order.
        const stream = worker + 8 * (made++ % 5);
        const number = next[stream] ?? 0;
        next[stream] = number + 1;
        return numbered(stream, number);
      });
      return provider.commit({ outbox: rows });
    });
    await Promise.all(works);
  }
}

/** Processes until every row is published; `sent` is what a broker would have received. */
async function process(provider: TestProvider, owner: string, total: number, sent: Sent[]): Promise<void> {
  let attempts = 0;
  const publish = (rows: readonly OutboxRow[]): OutboxOutcome[] => {
    const failed = new Set<string>();
    return rows.map((row) => {
      if (failed.has(row.streamName)) return { id: row.id, status: "held" };
      if (++attempts % 97 === 0) {
        failed.add(row.streamName);
        return { id: row.id, status: "failed", error: "refused", retryAt: Date.now() + 3 };
      }
      sent.push(sentOf(row));
      return published(row);
    });
  };
  for (let done = false; !done;) {
    let lease: OutboxLease | undefined;
    try {
      done = (await provider.outbox.stats()).counts.published >= total;
      lease = await provider.outbox.lease({ broker: "default", owner });
      for (let rows = await lease.claim(100); rows.length > 0; rows = await lease.claim(100)) {
        await lease.settle(publish(rows));
        await lease.share();
      }
    } catch (error) {
      assert(error instanceof UnavailableError, `${error}`);
    } finally {
      await lease?.release();
    }
  }
}

/** Fails where a row came before the one before it in its stream had come once. */
function assertInOrder(sent: readonly Sent[]): void {
  const reached = new Map<string, number>();
  for (const { stream, number } of sent) {
    const last = reached.get(stream) ?? -1;
    assert(number <= last + 1, `${stream}/${number} came after ${stream}/${last}`);
    reached.set(stream, Math.max(last, number));
  }
}

postgresTest("three processors publish ten thousand rows once, each stream in order", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await using second = new TestProvider({ uri: db.uri() });
  await using third = new TestProvider({ uri: db.uri() });
  const total = 10_000;
  const sent: Sent[] = [];
  const processors = [provider, second, third].map((each, index) => process(each, `w${index}`, total, sent));
  await Promise.all([produce(provider, total), ...processors]);
  assertEquals(sent.length, total);
  assertEquals(new Set(sent.map(({ stream, number }) => `${stream}/${number}`)).size, total);
  assertInOrder(sent);
});

postgresTest("killed processors lose nothing, skip nothing, and hand over at once (F19)", async () => {
  const db = await start();
  const uri = db.uri({ query: "application_name=shop" });
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await using second = new TestProvider({ uri });
  await using third = new TestProvider({ uri });
  const total = 3000;
  const sent: Sent[] = [];
  const works = [second, third].map((each, index) => process(each, `w${index}`, total, sent));
  const working = Promise.all([produce(provider, total), ...works]);
  let done = false;
  void working.finally(() => done = true).catch(() => {});
  while (!done) {
    await db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'shop'");
  }
  await working;
  assertEquals(new Set(sent.map(({ stream, number }) => `${stream}/${number}`)).size, total);
  assertInOrder(sent);
});

postgresTest("rows of a processor whose connection dies are another's at once", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri({ query: "application_name=shop" }) });
  await using other = new TestProvider({ uri: db.uri() });
  await provider.commit({ outbox: [numbered(1, 0), numbered(1, 1)] });
  const dead = await leaseOf(provider);
  const rows = await dead.claim(9);
  const idle = await leaseOf(other);
  assertEquals([idle.shards, await idle.claim(9)], [[], []]);
  await idle.release();
  await db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'shop'");
  await assertRejects(() => dead.settle(rows.map(published)), UnavailableError);
  await assertRejects(() => dead.claim(9), UnavailableError);
  assertThrows(() => dead.assertHeld(), UnavailableError);
  const heir = await leaseOf(other);
  assertEquals(names(await heir.claim(9)), ["1/0", "1/1"]);
  await heir.release();
  await dead.release();
});

postgresTest(
  "a row that commits late, with a lower number than what is published, is published too (F18)",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({ uri: db.uri() });
    const late = provider.session();
    await late.flush(writeSet({ outbox: [numbered(1, 0)] }));
    await provider.commit({ outbox: [numbered(2, 0)] });
    const lease = await leaseOf(provider);
    const early = await lease.claim(9);
    await lease.settle(early.map(published));
    await lease.release();
    await late.commit(writeSet({}));
    const again = await leaseOf(provider);
    const rest = await again.claim(9);
    assertEquals([names(early), names(rest)], [["2/0"], ["1/0"]]);
    assert(Number(rest[0]?.id) < Number(early[0]?.id));
    await again.release();
  },
);

postgresTest(
  "claims and marks read what they take and not the history, whatever the statistics say",
  async () => {
    const db = await start();
    const provider = await TestProvider.ready({ uri: db.uri(), settings: { pool_pre_ping: false } });
    const drain = async () => {
      const lease = await leaseOf(provider);
      for (let rows = await lease.claim(100); rows.length > 0; rows = await lease.claim(100)) {
        const outcomes = rows.map((row, index) =>
          index === 0 && row.retryCount === 0
            ? { id: row.id, status: "failed", error: "no", retryAt: Date.now() } as const
            : published(row)
        );
        await lease.settle(outcomes);
      }
      await lease.release();
    };
    // The first plans are made while the table is empty.
    await provider.commit({ outbox: [numbered(1, 0)] });
    await drain();
    const total = 5000;
    const rows = Array.from({ length: total }, (_, number) => numbered(2 + number % 30, number));
    await provider.commit({ outbox: rows });
    await drain();
    await provider.close();
    // Figures of a connection are counted when it ends. Read: once for the look, once for the change, twice
    // for the mark.
    const figures =
      "select seq_tup_read + idx_tup_fetch, n_tup_upd from pg_stat_user_tables where relname = 'protean_outbox'";
    let read = 0;
    await eventually("The figures", async () => {
      const [all = "0", updated = "0"] = (await db.sql(figures))[0]?.split("|") ?? [];
      read = Number(all);
      return Number(updated) > 2 * total;
    });
    assert(read < 8 * total, `${read} rows were read for ${total}`);
  },
);

/** Notifications that other processes would see. */
async function listen(db: PostgresDatabase) {
  const client = postgres(db.uri(), { max: 1, onnotice: () => {} });
  const seen = { count: 0, stop: () => client.end() };
  await client.listen(new Names("public").channel, () => seen.count++);
  return seen;
}

postgresTest("a commit in one process wakes the watcher of another, and one's own at once", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await using other = new TestProvider({ uri: db.uri() });
  const connected = Promise.withResolvers<void>();
  let woken = connected;
  other.outbox.watch(() => woken.resolve());
  await soon(connected.promise, "The wake-up of a watcher that has just begun to listen");
  for (let round = 0; round < 3; round++) {
    woken = Promise.withResolvers<void>();
    let own = 0;
    const unwatch = provider.outbox.watch(() => own++);
    await provider.commit({ outbox: [numbered(1, round)] });
    assert(own > 0);
    unwatch();
    await soon(woken.promise, "The wake-up of another process");
  }
});

postgresTest(
  "however many commits there are, one notification is sent in 5 ms, and none for nothing",
  async () => {
    const db = await start();
    const clock = new FakeClock();
    // The next notification's, and the one that looks after silent connections.
    const TIMERS = 2;
    await using provider = await TestProvider.ready({ uri: db.uri(), clock });
    const seen = await listen(db);
    await provider.commit({});
    for (let round = 0; round < 30; round++) await provider.commit({ outbox: [numbered(1, round)] });
    await eventually(
      "The first notification and the timers",
      () => seen.count === 1 && clock.pending === TIMERS,
    );
    await clock.advance(4);
    assertEquals(seen.count, 1);
    await clock.advance(1);
    await eventually(
      "The second notification and the timers",
      () => seen.count === 2 && clock.pending === TIMERS,
    );
    await clock.advance(60_000);
    assertEquals([seen.count, clock.pending], [2, 0]);
    await seen.stop();
  },
);

postgresTest(
  "without [outbox] notify nobody listens or notifies, and watchers of the same process still wake",
  async () => {
    const db = await start();
    const settings = { outbox_notify: false };
    await using provider = await TestProvider.ready({
      uri: db.uri({ query: "application_name=shop" }),
      settings,
    });
    const seen = await listen(db);
    let own = 0;
    provider.outbox.watch(() => own++);
    await provider.commit({ outbox: [numbered(1, 0)] });
    const listening =
      "select count(*) from pg_stat_activity where application_name = 'shop' and query like '%listen%'";
    assertEquals([own, await db.sql(listening)], [1, ["0"]]);
    // One notification of another's, to know that every earlier one would have come.
    await using other = new TestProvider({ uri: db.uri() });
    await other.commit({ outbox: [numbered(1, 1)] });
    await eventually("The other's notification", () => seen.count > 0);
    assertEquals(seen.count, 1);
    await seen.stop();
  },
);

postgresTest("a watcher whose connection is killed listens again", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await using other = new TestProvider({ uri: db.uri({ query: "application_name=shop" }) });
  const wakes: (() => void)[] = [];
  const woken = () => new Promise<void>((resolve) => wakes.push(resolve));
  const connected = woken();
  other.outbox.watch(() => wakes.splice(0).forEach((wake) => wake()));
  await connected;
  const again = woken();
  await db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'shop'");
  await soon(again, "The wake-up after listening again");
  const hinted = woken();
  await provider.commit({ outbox: [numbered(1, 0)] });
  await soon(hinted, "The hint after listening again");
});

postgresTest(
  "a claim outlives a row that somebody else has just changed, whatever the default isolation",
  async () => {
    const database = await start();
    await database.sql(
      "do $$begin execute format('alter database %I set default_transaction_isolation = %L', current_database(), " +
        "'repeatable read'); end$$",
    );
    await using provider = await TestProvider.ready({ uri: database.uri() });
    await provider.commit({ outbox: [numbered(1, 0)] });
    const lease = await provider.outbox.lease({ broker: "default", owner: "one" });
    const operator = postgres(database.uri(), { max: 1 });
    try {
      await operator.unsafe("begin; update protean_outbox set priority = 5").simple();
      const claim = lease.claim(10);
      claim.catch(() => {});
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      await eventually("the claim", async () => (await database.sql(waiting)).length === 1);
      await operator.unsafe("commit").simple();
      assertEquals((await claim).map(({ messageId, priority }) => [messageId, priority]), [["1/0", 5]]);
    } finally {
      await operator.end();
      await lease.release();
    }
  },
);

postgresTest(
  "a look at the oldest row that waited for a lock is no news later on, and made anew soon",
  async () => {
    const database = await start();
    let passed = 0;
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() + passed,
      after: (ms, callback) => systemClock.after(ms, callback),
    };
    await using provider = await TestProvider.ready({ uri: database.uri(), clock });
    await provider.commit({ outbox: [numbered(1, 1)] });
    const outsider = postgres(database.uri(), { max: 1, onnotice: () => {} });
    let looking: Promise<OutboxWaiting | undefined> = Promise.resolve(undefined);
    await outsider.begin(async (sql) => {
      await sql`lock table protean_outbox in access exclusive mode`;
      looking = provider.outbox.oldestDue("default");
      await eventually(
        "the wait for the lock",
        async () => (await database.sql("select 1 from pg_locks where not granted")).length > 0,
      );
      passed += 60_000;
    });
    await outsider.end();
    const found = await looking;
    assertEquals([typeof found?.id, found?.ageMs], ["string", undefined]);
    const again = await provider.outbox.oldestDue("default");
    assertEquals(again?.id, found?.id);
    assert((again?.ageMs ?? 0) > 0, "it was given for news");
    const lease = await leaseOf(provider);
    await lease.settle((await lease.claim(9)).map(published));
    await lease.release();
    passed += 11_000;
    assertEquals(await provider.outbox.oldestDue("default"), undefined);
    // Two who ask for the same share a look.
    await provider.commit({ outbox: [numbered(1, 2)] });
    assertEquals(await provider.outbox.oldestDue("default", 2_500), undefined);
  },
);
