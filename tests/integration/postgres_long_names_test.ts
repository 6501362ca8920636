/**
 * Rows of the outbox with names that are longer than an entry of an index, and rows that the database does
 * not let be recorded, beside others (`long-id-index`).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { OutboxLease } from "../../lib/adapters/ports.ts";
import { leaseOf, names, published } from "../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { logged } from "../support/logged.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

/** 6 kB that do not compress. */
const LONG = Array.from(
  crypto.getRandomValues(new Uint8Array(3000)),
  (byte) => byte.toString(16).padStart(2, "0"),
)
  .join("");

const long = (messageId: string, end = "") => outboxInsert(`shop::order-${LONG}${end}`, { messageId });
const short = (messageId: string) => outboxInsert("shop::order-1", { messageId });

/** Claims everything, and fails it until `retryAt`. */
async function fail(lease: OutboxLease, retryAt: number, error = "no"): Promise<string[]> {
  const rows = await lease.claim(100);
  await lease.settle(rows.map(({ id }) => ({ id, status: "failed", error, retryAt })));
  return names(rows);
}

postgresTest("failures of a stream with a long name are counted, and hold it back and no other", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await provider.commit({ outbox: [long("l1"), short("s1")] });
  const lease = await leaseOf(provider);
  assertEquals(await fail(lease, Date.now() + 60_000), ["l1", "s1"]);
  // The same beginning, and another stream.
  await provider.commit({ outbox: [long("l2"), long("m1", "other")] });
  assertEquals(await fail(lease, Date.now() + 60_000), ["m1"]);
  await db.sql("update protean_outbox set next_retry_at = now()");
  const due = await lease.claim(100);
  assertEquals(due.map(({ messageId, retryCount }) => [messageId, retryCount]), [
    ["l1", 1],
    ["s1", 1],
    ["l2", 0],
    ["m1", 1],
  ]);
  await lease.settle(due.map(({ id }) => ({ id, status: "abandoned", error: "no" })));
  assertEquals((await provider.outbox.stats()).counts.abandoned, 4);
  await lease.release();
});

postgresTest(
  "rows of an earlier version that could not be marked as failed can be after the upgrade",
  async () => {
    const db = await start();
    await using provider = await TestProvider.ready({ uri: db.uri() });
    await db.sql(
      "drop index protean_outbox_retry",
      "create index protean_outbox_retry on protean_outbox (target_broker, stream_name, seq) where next_retry_at is not null",
      "update protean_schema set version = 1 where component = 'outbox'",
    );
    await provider.commit({ outbox: [long("l1"), short("s1")] });
    await using upgraded = await TestProvider.ready({ uri: db.uri() });
    const lease = await leaseOf(upgraded);
    assertEquals(await fail(lease, Date.now()), ["l1", "s1"]);
    assertEquals((await upgraded.outbox.stats()).counts.failed, 2);
    const schemas = await upgraded.schema([]);
    assertEquals(schemas.find(({ component }) => component === "outbox")?.state, "current");
    await lease.release();
  },
);

postgresTest("an error that is no proper text is recorded", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await provider.commit({ outbox: [short("s1")] });
  const lease = await leaseOf(provider);
  await fail(lease, Date.now(), "half \ud83d and \0");
  assertEquals((await provider.outbox.list({ limit: 1 }))[0]?.lastError, "half \ufffd and \ufffd");
  await lease.release();
});

postgresTest("a row that the database does not let be recorded leaves those of its batch alone", async () => {
  const db = await start();
  await using provider = await TestProvider.ready({ uri: db.uri() });
  await db.sql(
    "alter table protean_outbox add constraint no_failures check (message_id <> 'r3' or status <> 'failed')",
  );
  const rows = [1, 2, 3, 4, 5, 6, 7].map((n) => outboxInsert(`shop::order-${n}`, { messageId: `r${n}` }));
  await provider.commit({ outbox: rows });
  const lease = await leaseOf(provider);
  const claimed = await lease.claim(100);
  const records = await logged(() =>
    lease.settle(
      claimed.map((row) =>
        row.messageId === "r7"
          ? published(row)
          : { id: row.id, status: "failed", error: "no", retryAt: Date.now() }
      ),
    )
  );
  assertEquals(records.map(({ rawMessage, properties }) => [rawMessage, properties["message_id"]]), [
    ["outbox.row_not_recorded", "r3"],
  ]);
  assertEquals((await provider.outbox.stats()).counts, {
    ...{ pending: 0, processing: 1, published: 1, failed: 5, abandoned: 0 },
  });
  await lease.release();
});
