/**
 * The outbox beside transactions that stay open (D7, F32): claims read what they take, and no row is passed
 * by or overtaken, whoever commits late, dies, fails or is requeued.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import postgres from "postgres";
import { type Clock, sleep, systemClock } from "../../lib/async/clock.ts";
import type { OutboxLease, OutboxRow } from "../../lib/adapters/ports.ts";
import { OldTransactions, oldTransactionsText } from "../../lib/adapters/postgres/outbox/old_transactions.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { leaseOf, names, published } from "../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { logged } from "../support/logged.ts";
import { eventually, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres({ settings: { max_prepared_transactions: "5" } });

const row = (stream: number, number: number) =>
  outboxInsert(`shop::order-${stream}`, { messageId: `${stream}/${number}` });

/** Longer than anybody is waited for before he is passed by. */
const LONG_MS = 10_000;

/** A client that keeps a transaction open until it is ended. */
async function openTransaction(db: PostgresDatabase, begin: string, ...statements: readonly string[]) {
  const client = postgres(db.uri(), { max: 1, onnotice: () => {} });
  await client.unsafe(begin);
  for (const statement of statements) await client.unsafe(statement);
  return {
    run: (statement: string) => client.unsafe(statement),
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** An insert as other processes write it. */
function insertText(stream: number, number: number): string {
  const { shard, streamName, messageId } = row(stream, number);
  return `insert into protean_outbox (message_id, stream_name, type, data, metadata_, target_broker, shard, created_at)
    values ('${messageId}', '${streamName}', 'Shop.Placed.v1', '{}', '{}', 'default', ${shard}, now())`;
}

/** Claims and publishes whatever is due, and returns it. */
async function publishAll(lease: OutboxLease, limit = 100): Promise<OutboxRow[]> {
  const all: OutboxRow[] = [];
  for (let rows = await lease.claim(limit); rows.length > 0; rows = await lease.claim(limit)) {
    await lease.settle(rows.map(published));
    all.push(...rows);
  }
  return all;
}

/** Lets time pass, a second at a time, with a claim in each; what those have found is published. */
async function pass(ms: number, clock: FakeClock, ...leases: readonly OutboxLease[]): Promise<OutboxRow[]> {
  const found: OutboxRow[] = [];
  for (let passed = 0; passed < ms; passed += 1000) {
    await clock.advance(1000);
    for (const lease of leases) found.push(...await publishAll(lease));
  }
  return found;
}

/** Index entries that claims have read, once their connections have ended. */
async function entriesRead(db: PostgresDatabase, updates: number): Promise<number> {
  const figures = `select idx_tup_read, n_tup_upd from pg_stat_user_indexes
    join pg_stat_user_tables using (relid) where indexrelname = 'protean_outbox_poll'`;
  let read = 0;
  await eventually("The figures", async () => {
    const [entries = "0", updated = "0"] = (await db.sql(figures))[0]?.split("|") ?? [];
    read = Number(entries);
    return Number(updated) >= updates;
  });
  return read;
}

const OPEN: Readonly<Record<string, readonly [string, ...string[]]>> = {
  "a dump": ["begin isolation level repeatable read", "select count(*) from protean_outbox"],
  "a handler with its mark": [
    "begin",
    "insert into protean_processed (handler, type, message_id, processed_at) values ('h', 't', 'm', now())",
  ],
  "a handler that has published": ["begin", insertText(900, 0)],
};

for (const [who, statements] of Object.entries(OPEN)) {
  postgresTest(`beside ${who}, open all the time, claims read what they take (F32)`, async () => {
    const db = await start();
    const clock = new FakeClock();
    const provider = await TestProvider.ready({ uri: db.uri(), clock });
    await using _open = await openTransaction(db, ...statements);
    const lease = await leaseOf(provider);
    const [rounds, size] = [40, 250];
    for (let round = 0; round < rounds; round++) {
      const rows = Array.from({ length: size }, (_, at) => row(at % 40, round * size + at));
      await provider.commit({ outbox: rows });
      assertEquals((await publishAll(lease)).length, size);
      await clock.advance(1000);
    }
    await lease.release();
    await provider.close();
    const total = rounds * size;
    const read = await entriesRead(db, 2 * total);
    // From the lowest number each time it would be some hundred entries a row.
    assert(read < 25 * total, `${read} entries were read for ${total} rows`);
  });
}

for (const wait of [0, 2000, LONG_MS]) {
  postgresTest(
    `rows committed late, ${wait} ms after younger ones were published, come before what follows on their streams`,
    async () => {
      const db = await start();
      const clock = new FakeClock();
      await using provider = await TestProvider.ready({ uri: db.uri(), clock });
      await using _dump = await openTransaction(db, ...OPEN["a dump"] ?? [""]);
      const lease = await leaseOf(provider);
      const late = provider.session();
      await late.flush(writeSet({ outbox: [row(1, 0), row(2, 0)] }));
      const seen: OutboxRow[] = [];
      for (let number = 0; number < 3; number++) {
        await provider.commit({ outbox: [row(3, number)] });
        seen.push(...await publishAll(lease), ...await pass(wait, clock, lease));
      }
      await late.flush(writeSet({ outbox: [row(1, 1)] }));
      await late.commit(writeSet({}));
      await provider.commit({ outbox: [row(1, 2), row(2, 1), row(3, 3)] });
      seen.push(...await publishAll(lease));
      assertEquals(names(seen), ["3/0", "3/1", "3/2", "1/0", "2/0", "1/1", "1/2", "2/1", "3/3"]);
      await lease.release();
    },
  );
}

postgresTest(
  "three standing processors keep every stream in order through late commits beside a dump",
  async () => {
    const db = await start();
    // Time passes twenty times as fast for what a lease looks at now and then.
    const clock: Clock = { ...systemClock, monotonic: () => 20 * systemClock.monotonic() };
    await using provider = await TestProvider.ready({ uri: db.uri(), settings: { pool_size: 30 } });
    await using _dump = await openTransaction(db, ...OPEN["a dump"] ?? [""]);
    const [producers, each] = [20, 150];
    const total = producers * each;
    const reached = new Map<string, number>();
    const violations: string[] = [];
    let seen = 0;
    const publish = async (index: number) => {
      await using own = new TestProvider({ uri: db.uri(), clock });
      const lease = await own.outbox.lease({ broker: "default", owner: `w${index}` });
      while (seen < total && violations.length === 0) {
        const rows = await lease.claim(50);
        for (const { messageId } of rows) {
          const [stream = "", number = ""] = messageId.split("/");
          if (Number(number) !== (reached.get(stream) ?? -1) + 1) violations.push(messageId);
          reached.set(stream, Number(number));
          seen++;
        }
        await lease.settle(rows.map(published));
        await lease.share();
        if (rows.length === 0) await sleep(systemClock, 2);
      }
      await lease.release();
    };
    const produce = async (stream: number) => {
      for (let number = 0; number < each; number++) {
        const session = provider.session();
        await session.flush(writeSet({ outbox: [row(stream, number)] }));
        // Most commit soon, some late, and some later than anybody waits for.
        const late = number % 50 === stream ? 250 : number % 10 === stream % 10 ? 40 : 0;
        if (late > 0) await sleep(systemClock, late);
        await session.commit(writeSet({}));
      }
    };
    const streams = Array.from({ length: producers }, (_, stream) => stream);
    await Promise.all([...streams.map(produce), ...[0, 1, 2].map(publish)]);
    assertEquals(violations, []);
    assertEquals(seen, total);
  },
);

postgresTest("of several that stay open and end one by one, each is found when it has ended", async () => {
  const db = await start();
  const clock = new FakeClock();
  await using provider = await TestProvider.ready({ uri: db.uri(), clock });
  const lease = await leaseOf(provider);
  const late = [];
  for (let number = 0; number < 3; number++) {
    const session = provider.session();
    await session.flush(writeSet({ outbox: [row(number, 0)] }));
    late.push(session);
    await provider.commit({ outbox: [row(7, number)] });
    await publishAll(lease);
    assertEquals(await pass(LONG_MS, clock, lease), []);
  }
  for (const number of [1, 0, 2]) {
    await late[number]?.commit(writeSet({}));
    await provider.commit({ outbox: [row(number, 1)] });
    assertEquals(names(await publishAll(lease)), [`${number}/0`, `${number}/1`]);
    await provider.commit({ outbox: [row(8, number)] });
    assertEquals(names(await publishAll(lease)), [`8/${number}`]);
    assertEquals(await pass(LONG_MS, clock, lease), []);
  }
  await lease.release();
});

for (const wait of [0, LONG_MS]) {
  postgresTest(`a prepared transaction's rows are found when it is committed, after ${wait} ms`, async () => {
    const db = await start();
    const clock = new FakeClock();
    await using provider = await TestProvider.ready({ uri: db.uri(), clock });
    const lease = await leaseOf(provider);
    await using first = await openTransaction(db, "begin", insertText(1, 0));
    await provider.commit({ outbox: [row(3, 0)] });
    assertEquals(names(await publishAll(lease)), ["3/0"]);
    // It has been seen open once, and changes its place then.
    assertEquals(await pass(1000, clock, lease), []);
    await first.run("prepare transaction 'late'");
    assertEquals(await pass(wait, clock, lease), []);
    await provider.commit({ outbox: [row(3, 1)] });
    assertEquals(names(await publishAll(lease)), ["3/1"]);
    assertEquals(await pass(wait, clock, lease), []);
    await first.run("commit prepared 'late'");
    await provider.commit({ outbox: [row(1, 1)] });
    assertEquals(names(await publishAll(lease)), ["1/0", "1/1"]);
    await lease.release();
  });
}

postgresTest("what a dead holder left is taken, however far a standing lease has come", async () => {
  const db = await start();
  const clock = new FakeClock();
  await using provider = await TestProvider.ready({ uri: db.uri(), clock });
  await using other = new TestProvider({ uri: db.uri({ query: "application_name=shop" }), clock });
  const lease = await leaseOf(provider);
  const dead = await leaseOf(other);
  await lease.share();
  await dead.share();
  await provider.commit({ outbox: Array.from({ length: 16 }, (_, stream) => row(stream, 0)) });
  const left = names(await dead.claim(100));
  assert(left.length > 0 && left.length < 16);
  assertEquals((await publishAll(lease)).length, 16 - left.length);
  await provider.commit({ outbox: Array.from({ length: 16 }, (_, stream) => row(stream, 1)) });
  await publishAll(lease);
  assertEquals(await pass(LONG_MS, clock, lease), []);
  await db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'shop'");
  await dead.release();
  await eventually("The other shards", async () => {
    await lease.share();
    return lease.shards.length === 16;
  });
  const streams = left.map((name) => name.split("/")[0]);
  const expected = [...left, ...streams.map((stream) => `${stream}/1`)];
  assertEquals(names(await publishAll(lease)).toSorted(), expected.toSorted());
  await lease.release();
});

postgresTest("a failed row is tried again when it is due, and its stream waits for it", async () => {
  const db = await start();
  const clock = new FakeClock();
  await using provider = await TestProvider.ready({ uri: db.uri(), clock });
  const lease = await leaseOf(provider);
  await provider.commit({ outbox: [row(1, 0), row(2, 0)] });
  const retryAt = clock.now() + 60_000;
  await lease.settle(
    (await lease.claim(10)).map((each) =>
      each.messageId === "1/0" ? { id: each.id, status: "failed", error: "no", retryAt } : published(each)
    ),
  );
  await provider.commit({ outbox: [row(1, 1), row(2, 1)] });
  assertEquals(names(await publishAll(lease)), ["2/1"]);
  assertEquals(await pass(50_000, clock, lease), []);
  assertEquals(names(await pass(20_000, clock, lease)), ["1/0", "1/1"]);
  await lease.release();
});

for (
  const [how, notify, wait] of [["at once", true, 0], [
    "after half a minute, where nobody is told",
    false,
    35_000,
  ]] as const
) {
  postgresTest(`what another process requeues is published ${how}`, async () => {
    const db = await start();
    const clock = new FakeClock();
    const settings = { outbox_notify: notify };
    await using provider = await TestProvider.ready({ uri: db.uri(), clock, settings });
    await using operator = new TestProvider({ uri: db.uri(), clock, settings });
    let woken = 0;
    provider.outbox.watch(() => woken++);
    const lease = await leaseOf(provider);
    await provider.commit({ outbox: [row(1, 0), row(1, 1)] });
    await lease.settle((await lease.claim(10)).map(({ id }) => ({ id, status: "abandoned", error: "no" })));
    await provider.commit({ outbox: [row(2, 0)] });
    await publishAll(lease);
    assertEquals(await pass(5000, clock, lease), []);
    if (notify) await eventually("Listening", () => woken > 1);
    const before = woken;
    assertEquals(await operator.outbox.requeue(), 2);
    if (notify) await eventually("The hint", () => woken > before);
    const found = [...await pass(wait, clock, lease), ...await publishAll(lease)];
    assertEquals(names(found), ["1/0", "1/1"]);
    await lease.release();
  });
}

postgresTest("transactions that are open for long are named, once each", async () => {
  const db = await start();
  const clock = new FakeClock();
  const old = new OldTransactions(clock, "default");
  const client = postgres(db.uri(), { max: 1, onnotice: () => {} });
  const look = async () => {
    if (old.mayLook()) old.found(await client.unsafe(oldTransactionsText(0)));
    await clock.advance(15_000);
  };
  const records = await logged(async () => {
    await look();
    await using _open = await openTransaction(db, "begin", "select 1");
    await using prepared = await openTransaction(db, "begin", "create table forgotten (id int)");
    await prepared.run("prepare transaction 'forgotten'");
    await look();
    await look();
    await client.unsafe("rollback prepared 'forgotten'");
    await using _another = await openTransaction(db, "begin", "select 1");
    await look();
  });
  await client.end();
  // Each look is a transaction of its own, and as old as zero seconds.
  const told = records.filter(({ rawMessage }) => rawMessage === "database.old_transactions")
    .map(({ properties }) =>
      (properties["transactions"] as string[]).filter((each) => !each.includes("active"))
    )
    .filter((each) => each.length > 0);
  assertEquals(told.map((each) => each.length), [2, 1]);
  const [first = []] = told;
  assert(first.some((each) => /^forgotten \(postgres, prepared\) for \d+ s$/.test(each)), `${first}`);
  assert(first.some((each) => /^\d+ \(postgres, .*idle in transaction\) for \d+ s$/.test(each)), `${first}`);
});
