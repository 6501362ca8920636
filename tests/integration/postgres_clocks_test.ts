/**
 * A replica whose clock is a month ahead or behind, beside others and a database whose clocks are right (D9,
 * F30).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Clock, sleep, systemClock } from "../../lib/async/clock.ts";
import { MarkCleaner } from "../../lib/maintenance/mark_cleaner.ts";
import { OutboxCleaner } from "../../lib/outbox/cleaner.ts";
import { leaseOf, names, published, settleAll } from "../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { logged } from "../support/logged.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

const HOUR_MS = 3_600_000;
const MONTH_MS = 30 * 24 * HOUR_MS;
const RETENTION_HOURS = 168;

/** The machine's clock, put by `ms`. */
function put(ms: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + ms };
}

const insert = (messageId: string) => outboxInsert("shop::order-1", { messageId });

/** A mark and a row, written by this process and published or given up. */
async function write(provider: TestProvider, name: string, status: "published" | "abandoned") {
  const session = provider.session();
  await session.mark({ handler: "h", type: "t", messageId: name });
  await session.commit(writeSet({ outbox: [insert(name)] }));
  await settleAll(
    provider,
    ({ id }) => status === "published" ? { id, status } : { id, status, error: "no" },
  );
}

/** Both cleaners' passes; returns how many rows they removed. */
async function clean(provider: TestProvider, clock: Clock): Promise<number> {
  const common = { provider, clock, intervalSeconds: 60, batchSize: 100 };
  const hours = { publishedRetentionHours: RETENTION_HOURS, abandonedRetentionHours: RETENTION_HOURS };
  const rows = await new OutboxCleaner({ ...common, ...hours }).pass();
  return rows + await new MarkCleaner({ ...common, retentionHours: RETENTION_HOURS }).pass();
}

for (const [where, ms] of [["ahead", MONTH_MS], ["behind", -MONTH_MS]] as const) {
  postgresTest(`a replica a month ${where} removes nothing, spoils nothing, and says so once`, async () => {
    const db = await start();
    await using right = await TestProvider.ready({ uri: db.uri() });
    const clock = put(ms);
    await using wrong = new TestProvider({ uri: db.uri(), clock });
    await write(right, "m1", "published");
    await write(right, "m2", "abandoned");
    await write(wrong, "m3", "published");
    await write(wrong, "m4", "abandoned");
    const removed: number[] = [];
    const records = await logged(async () => {
      for (let round = 0; round < 3; round++) {
        removed.push(await clean(wrong, clock), await clean(right, systemClock));
      }
    });
    assertEquals(removed, [0, 0, 0, 0, 0, 0]);
    const said = records.map(({ rawMessage }) => rawMessage);
    assertEquals(said, ["maintenance.clocks_differ"]);
    assertEquals((await db.sql("select count(*) from protean_processed"))[0], "4");
    assertEquals((await right.outbox.stats()).counts, {
      ...{ pending: 0, processing: 0, failed: 0 },
      ...{ published: 2, abandoned: 2 },
    });
  });
}

postgresTest(
  "what is past its retention by the database's clock goes, and abandoned rows not in silence",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({ uri: db.uri() });
    await write(provider, "m1", "published");
    await write(provider, "m2", "abandoned");
    await write(provider, "m3", "abandoned");
    const past = `now() - interval '${RETENTION_HOURS + 1} hours'`;
    await db.sql(`update protean_processed set processed_at = ${past} where message_id <> 'm3'`);
    await db.sql(`update protean_outbox set published_at = ${past} where published_at is not null`);
    await db.sql(`update protean_outbox set abandoned_at = ${past} where message_id = 'm2'`);
    let removed = 0;
    const records = await logged(async () => {
      removed = await clean(provider, systemClock);
    });
    assertEquals(removed, 4);
    assertEquals(names(await provider.outbox.list({ limit: 9 })), ["m3"]);
    const told = records.filter(({ rawMessage }) => rawMessage === "outbox.abandoned_removed");
    assertEquals(told.map(({ level, properties }) => [level, properties["rows"]]), [["warning", 1]]);
  },
);

postgresTest("what is kept for longer than time itself keeps nothing else from going", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await write(provider, "m1", "published");
  await write(provider, "m2", "abandoned");
  await db.sql("update protean_outbox set abandoned_at = now() - interval '1 year' where message_id = 'm2'");
  const common = { provider, clock: systemClock, intervalSeconds: 60, batchSize: 100 };
  for (const hours of [1e8, 1e13, Number.MAX_VALUE]) {
    assertEquals(await new MarkCleaner({ ...common, retentionHours: hours }).pass(), 0);
    const both = { publishedRetentionHours: hours, abandonedRetentionHours: hours };
    assertEquals(await new OutboxCleaner({ ...common, ...both }).pass(), 0);
  }
  const one = { publishedRetentionHours: 1e13, abandonedRetentionHours: RETENTION_HOURS };
  assertEquals(await new OutboxCleaner({ ...common, ...one }).pass(), 1);
});

postgresTest("a clock that is put right while it runs may clean again", async () => {
  const db = await start();
  await using _ready = await TestProvider.ready({ uri: db.uri() });
  let ms = MONTH_MS;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + ms };
  await using provider = new TestProvider({ uri: db.uri(), clock });
  await write(provider, "m1", "published");
  await db.sql("update protean_processed set processed_at = now() - interval '1 year'");
  const records = await logged(async () => {
    assertEquals(await clean(provider, clock), 0);
    ms = 0;
    assertEquals(await clean(provider, clock), 1);
  });
  const said = records.map(({ rawMessage }) => rawMessage).filter((event) => event !== "maintenance.cleaned");
  assertEquals(said, ["maintenance.clocks_differ", "maintenance.clocks_agree"]);
});

for (const [where, ms] of [["ahead", MONTH_MS], ["behind", -MONTH_MS]] as const) {
  postgresTest(`a row that a processor a month ${where} has failed is another's when it is due`, async () => {
    const db = await start();
    await using right = await TestProvider.ready({ uri: db.uri() });
    const clock = put(ms);
    await using wrong = new TestProvider({ uri: db.uri(), clock });
    await right.commit({ outbox: [insert("m1"), insert("m2")] });
    const lease = await leaseOf(wrong);
    const rows = await lease.claim(9);
    assert(rows.every(({ createdAt }) => Math.abs(createdAt - clock.now()) < 60_000));
    const retryAt = clock.now() + 400;
    await lease.settle(
      rows.map(({ id, messageId }) =>
        messageId === "m1" ? { id, status: "failed", error: "no", retryAt } : { id, status: "held" }
      ),
    );
    assert(Math.abs((await lease.nextDue() ?? 0) - retryAt) < 10);
    await lease.release();
    const next = await leaseOf(right);
    assertEquals(await next.claim(9), []);
    await sleep(systemClock, 500);
    const due = await next.claim(9);
    assertEquals(names(due), ["m1", "m2"]);
    await next.settle(due.map(published));
    await next.release();
  });
}

postgresTest(
  "a row that failed before the database's clock was set back is tried again, and its stream goes on",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({ uri: db.uri() });
    await provider.commit({ outbox: [insert("m1"), insert("m2")] });
    const lease = await leaseOf(provider);
    const [first, second] = await lease.claim(9);
    await lease.settle([
      { id: first?.id ?? "", status: "failed", error: "no", retryAt: Date.now() + 60_000 },
      { id: second?.id ?? "", status: "held" },
    ]);
    assertEquals(await lease.claim(9), []);
    const month = "interval '30 days'";
    await db.sql(`update protean_outbox set last_processed_at = last_processed_at + ${month},
    next_retry_at = next_retry_at + ${month} where status = 'failed'`);
    assertEquals(names(await lease.claim(9)), ["m1", "m2"]);
    await lease.release();
  },
);
