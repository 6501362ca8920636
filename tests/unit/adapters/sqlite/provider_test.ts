import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteDatabase } from "../../../../lib/adapters/sqlite/file/database.ts";
import { selfIdentity } from "../../../../lib/adapters/sqlite/file/process_identity.ts";
import { SqliteProvider } from "../../../../lib/adapters/sqlite/provider.ts";
import { systemClock } from "../../../../lib/async/clock.ts";
import { FakeClock } from "../../../../lib/testing/fake_clock.ts";
import {
  ConfigurationError,
  IncorrectUsageError,
  ProteanError,
  ProviderUnavailableError,
} from "../../../../lib/errors.ts";
import {
  inSession,
  outboxInsert,
  sql,
  writeSet,
} from "../../../../lib/testing/conformance/provider_suite_rig.ts";

const TABLE = "protean_shop_order";
const row = (id: string, expected: number | undefined = -1) => ({ table: TABLE, id, expected, state: "{}" });

interface Rig {
  readonly provider: SqliteProvider;
  readonly clock: FakeClock;
  readonly folder: string;
  /** The file as another process has it open. */
  readonly other: DatabaseSync;
}

async function withProvider(work: (rig: Rig) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const provider = new SqliteProvider({ name: "default", domain: "shop", settings: {}, folder, clock });
  await provider.open();
  const other = new DatabaseSync(join(folder, "shop.db"));
  try {
    await provider.setup("all", [{ kind: "aggregate", name: TABLE }]);
    await work({ provider, clock, folder, other });
  } finally {
    other.close();
    await provider.close();
    assertEquals(clock.pending, 0, "no timer is left behind");
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("SqliteProvider opens and closes any number of times, and says when it is not open", () =>
  withProvider(async ({ provider, folder }) => {
    await provider.open();
    await provider.close();
    await provider.close();
    await assertRejects(() => provider.ping(AbortSignal.timeout(1000)), IncorrectUsageError, "is not open");
    await Promise.all([provider.open(), provider.open()]);
    await provider.ping(new AbortController().signal);
    assertEquals(provider.path, join(folder, "shop.db"));
  }));

Deno.test("SqliteProvider can be opened after the trouble with its file is over", async () => {
  const folder = await Deno.makeTempDir();
  const settings = { database_uri: "sqlite:///data/shop.db" };
  const provider = new SqliteProvider({
    name: "d",
    domain: "shop",
    settings,
    folder,
    clock: new FakeClock(),
  });
  await assertRejects(() => provider.open(), ConfigurationError, "does not exist");
  await provider.close();
  await Deno.mkdir(join(folder, "data"));
  await provider.open();
  await provider.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("SqliteProvider refuses a file with somebody else's table of its names", () =>
  withProvider(async ({ provider, other }) => {
    other.exec("DROP TABLE protean_processed; CREATE TABLE protean_processed (id text)");
    await assertRejects(() => provider.setup("own", []), ConfigurationError, "protean_processed");
    other.exec("DROP TABLE protean_processed; CREATE TABLE theirs (id text)");
    const setup = () => provider.setup("all", [{ kind: "view", name: "theirs" }]);
    await assertRejects(setup, ConfigurationError, "lacks version, state");
    await provider.setup("own", []);
  }));

Deno.test("SqliteSession reads with ctx.sql while another unit of work holds the write transaction", () =>
  withProvider(async ({ provider }) => {
    const writer = provider.session();
    await writer.query(sql`INSERT INTO protean_shop_order VALUES (${"o1"}, 0, ${"{}"}, ${""}, ${""})`);
    const readings = [
      sql`SELECT count(*) AS n FROM protean_shop_order`,
      sql` -- how many
        /* orders */ SELECT count(*) AS n FROM protean_shop_order;`,
      sql`WITH orders AS (SELECT * FROM protean_shop_order) SELECT count(*) AS n FROM orders`,
      sql`VALUES (0)`,
    ];
    for (const reading of readings) {
      const [answer] = await inSession(provider, (session) => session.query(reading));
      assertEquals(Object.values(answer ?? {}), [0]);
    }
    await writer.commit(writeSet({}));
    const [answer] = await inSession(
      provider,
      (session) => session.query(sql`SELECT count(*) AS n FROM protean_shop_order`),
    );
    assertEquals(answer, { n: 1 });
  }));

Deno.test("SqliteSession takes nothing from the broker's file or from readers while it holds", () =>
  withProvider(async ({ provider }) => {
    const holder = provider.session();
    await holder.flush(writeSet({ rows: [row("o1")] }));
    assertEquals((await provider.outbox.stats()).counts.pending, 0);
    await provider.ping(new AbortController().signal);
    await holder.rollback();
  }));

for (
  const statement of [
    "BEGIN",
    "commit",
    "  ROLLBACK",
    "SAVEPOINT a",
    "PRAGMA user_version = 1",
    "/* x */ ATTACH 'a' AS b",
  ]
) {
  Deno.test(`SqliteSession refuses '${statement}' from a handler`, () =>
    withProvider(async ({ provider }) => {
      const session = provider.session();
      await assertRejects(
        () => session.query({ strings: [statement], values: [] }),
        IncorrectUsageError,
        "ctx.sql",
      );
      await session.rollback();
    }));
}

for (const statement of ["SELECT 1; DELETE FROM protean_outbox", "", "  ", "-- nothing"]) {
  Deno.test(`SqliteSession refuses '${statement}', which is not one statement`, () =>
    withProvider(async ({ provider }) => {
      await provider.session().commit(writeSet({ outbox: [outboxInsert("s-1")] }));
      const session = provider.session();
      await assertRejects(
        () => session.query({ strings: [statement], values: [] }),
        IncorrectUsageError,
        "ctx.sql",
      );
      await session.rollback();
      assertEquals((await provider.outbox.stats()).counts.pending, 1);
    }));
}

Deno.test("SqliteSession allows a semicolon and a comment at the end", () =>
  withProvider(async ({ provider }) => {
    const rows = await inSession(provider, (session) => session.query(sql`SELECT 1 AS one; -- done`));
    assertEquals(rows, [{ one: 1 }]);
  }));

Deno.test("SqliteSession refuses text that the database would cut", () =>
  withProvider(async ({ provider }) => {
    const cut = () => inSession(provider, (session) => session.query(sql`SELECT ${"a\0b"} AS text`));
    await assertRejects(cut, ProteanError, "NUL");
    const large = () => inSession(provider, (session) => session.query(sql`SELECT ${2n ** 64n} AS number`));
    await assertRejects(large, ProteanError, "cannot be stored");
  }));

Deno.test("SqliteSession gives integers back exactly", () =>
  withProvider(async ({ provider }) => {
    const values = [
      0,
      -1,
      2 ** 53 - 1,
      2n ** 53n + 1n,
      -(2n ** 63n),
      1.5,
      true,
      null,
      new Uint8Array([1, 2]),
    ] as const;
    for (const value of values) {
      const [answer] = await inSession(provider, (session) => session.query(sql`SELECT ${value} AS value`));
      assertEquals(answer?.value, value === true ? 1 : value);
    }
    const session = provider.session();
    await session.query(sql`CREATE TABLE texts (text text)`);
    await session.query(sql`INSERT INTO texts VALUES (${5})`);
    assertEquals(await session.query(sql`SELECT text FROM texts`), [{ text: "5" }]);
    await session.rollback();
  }));

Deno.test("SqliteSession stops waiting for its turn to write when its signal aborts", () =>
  withProvider(async ({ provider }) => {
    const holder = provider.session();
    await holder.flush(writeSet({ rows: [row("o1")] }));
    const abort = new AbortController();
    const session = provider.session({ signal: abort.signal });
    const waiting = session.flush(writeSet({ rows: [row("o2")] })).catch((reason) => reason);
    abort.abort();
    assertStrictEquals(await waiting, abort.signal.reason);
    await session.rollback();
    await holder.commit(writeSet({}));
    await provider.session().commit(writeSet({ rows: [row("o2")] }));
  }));

Deno.test("SqliteSession waits for another process's transaction and then commits", () =>
  withProvider(async ({ provider, other, clock }) => {
    other.exec("BEGIN IMMEDIATE");
    let committed = false;
    const committing = provider.session().commit(writeSet({ rows: [row("o1")] })).then(() =>
      committed = true
    );
    await clock.advance(100);
    assertEquals(committed, false);
    other.exec("COMMIT");
    while (!committed) await clock.advance(1);
    await committing;
  }));

Deno.test("SqliteSession rejects on a full disk, and works again once there is room", () =>
  withProvider(async ({ provider }) => {
    // Shares the writing connection, past what handlers may do to it.
    const database = await SqliteDatabase.open({
      path: provider.path,
      synchronous: "FULL",
      clock: systemClock,
    });
    const limit = (pages: number) =>
      database.write((db) => void db.prepare(`PRAGMA max_page_count = ${pages}`).get());
    await limit(1);
    const large = { ...row("o1"), state: JSON.stringify("x".repeat(100_000)) };
    await assertRejects(
      () => provider.session().commit(writeSet({ rows: [large] })),
      ProviderUnavailableError,
    );
    await assertRejects(() => provider.ping(new AbortController().signal), ProviderUnavailableError, "full");
    await limit(10_000);
    await provider.ping(new AbortController().signal);
    await provider.session().commit(writeSet({ rows: [large] }));
    await database.close();
  }));

/** What a killed process leaves: a sign of life that nobody has locked. */
function deadProcess(db: DatabaseSync): string {
  const token = crypto.randomUUID();
  Deno.writeTextFileSync(`${db.location()}-alive-${token}`, "");
  return `2026-01-01T00:00:00.000Z ${token}`;
}

const LEASES: readonly (readonly [what: string, startedAt: (db: DatabaseSync) => string, free: boolean])[] = [
  ["of a dead process", deadProcess, true],
  ["of a living process", (db) => selfIdentity(db).startedAt, false],
  ["of a process that nothing is known of", () => "?", false],
];

for (const [what, startedAt, free] of LEASES) {
  Deno.test({
    name: `SqliteOutbox ${free ? "takes a lease over at once" : "leaves a lease alone for a minute"} ${what}`,
    fn: () =>
      withProvider(async ({ provider, other, clock }) => {
        await provider.session().commit(writeSet({ outbox: [outboxInsert("s-1", { messageId: "m1" })] }));
        const take = other.prepare(
          "INSERT INTO protean_outbox_lease VALUES ('default', ?, 'theirs', ?, ?, ?)",
        );
        for (let shard = 0; shard < 16; shard++) take.run(shard, 4_000_000, startedAt(other), clock.now());
        other.exec("UPDATE protean_outbox SET status = 'processing', locked_by = 'theirs'");
        const taken = await provider.outbox.lease({ broker: "default", owner: "w1" });
        if (!free) {
          await clock.advance(59_999);
          await taken.share();
          assertEquals(taken.shards, []);
          await clock.advance(1);
          await taken.share();
        }
        assertEquals((await taken.claim(9)).map(({ messageId }) => messageId), ["m1"]);
        await taken.release();
      }),
  });
}

Deno.test("SqliteOutbox keeps a lease that is used, and a holder notices that it has lost one", () =>
  withProvider(async ({ provider, other, clock }) => {
    const outbox = Array.from({ length: 4 }, (_, index) => outboxInsert("s-1", { messageId: `m${index}` }));
    await provider.session().commit(writeSet({ outbox }));
    const lease = await provider.outbox.lease({ broker: "default", owner: "w1" });
    for (let minute = 0; minute < 2; minute++) {
      await clock.advance(50_000);
      assertEquals((await lease.claim(1)).length, 1);
    }
    const second = await provider.outbox.lease({ broker: "default", owner: "w2" });
    assertEquals(second.shards, []);
    await second.release();
    other.exec("UPDATE protean_outbox_lease SET holder = 'theirs'");
    assertEquals(await lease.claim(9), []);
    assertEquals(lease.shards, []);
    await lease.release();
    assertEquals(
      other.prepare("SELECT DISTINCT holder FROM protean_outbox_lease").all().map(({ holder }) => holder),
      [
        "theirs",
      ],
    );
  }));

Deno.test("SqliteOutbox takes a lease over at once when its release could not be written", () =>
  withProvider(async ({ provider, other, clock }) => {
    await provider.session().commit(writeSet({ outbox: [outboxInsert("s-1")] }));
    const lease = await provider.outbox.lease({ broker: "default", owner: "w1" });
    other.exec("BEGIN IMMEDIATE");
    let released = false;
    const releasing = lease?.release().then(() => released = true);
    while (!released) await clock.advance(50);
    await releasing;
    other.exec("COMMIT");
    const again = await provider.outbox.lease({ broker: "default", owner: "w1" });
    assertEquals(again?.shards, lease?.shards);
    await again?.release();
  }));

Deno.test("SqliteOutbox hears of another process's commits", () =>
  withProvider(async ({ provider, other, clock }) => {
    let woken = 0;
    const unwatch = provider.outbox.watch(() => woken++);
    other.exec("CREATE TABLE theirs (id text)");
    await clock.advance(50);
    unwatch();
    assertEquals(woken, 1);
  }));

Deno.test("SqliteOutbox writes the columns of wire 3.2, and errors as JSON", () =>
  withProvider(async ({ provider, other }) => {
    await provider.session().commit(
      writeSet({ outbox: [outboxInsert("shop::order-1", { messageId: "m1" })] }),
    );
    const lease = await provider.outbox.lease({ broker: "default", owner: "w1" });
    const [claimed] = await lease?.claim(1) ?? [];
    await lease?.settle([{ id: claimed?.id ?? "", status: "abandoned", error: "too large" }]);
    await lease?.release();
    const stored = other.prepare("SELECT * FROM protean_outbox").get() ?? {};
    const { message_id, stream_name, status, retry_count, correlation_id, target_broker, locked_by } = stored;
    assertEquals(
      {
        message_id,
        stream_name,
        status,
        retry_count,
        correlation_id,
        target_broker,
        locked_by,
        id: stored.id,
      },
      {
        message_id: "m1",
        stream_name: "shop::order-1",
        status: "abandoned",
        retry_count: 1,
        correlation_id: "correlation of m1",
        target_broker: "default",
        locked_by: null,
        id: String(stored.seq),
      },
    );
    const { failed_at, ...error } = JSON.parse(String(stored.last_error));
    assertEquals(error, { message: "too large", reason: "Max retries exceeded", retry_count: 1 });
    assert(Number.isFinite(Date.parse(failed_at)));
  }));
