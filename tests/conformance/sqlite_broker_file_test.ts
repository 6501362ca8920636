/**
 * What the SQLite broker does with its file.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { BrokerUnavailableError, ConfigurationError, IncorrectUsageError } from "../../lib/errors.ts";
import { idsOf, numbered } from "../../lib/testing/conformance/broker_suite_rig.ts";

function brokerIn(
  folder: string,
  settings: Record<string, unknown> = {},
  clock = new FakeClock(),
): SqliteBroker {
  return new SqliteBroker({ name: "default", domain: "shop", settings, folder, clock });
}

async function withFolder(prove: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await prove(folder);
  } finally {
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Looks into the file while the broker has it closed. */
function count(path: string, table: string): unknown {
  const db = new DatabaseSync(path);
  try {
    return db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  } finally {
    db.close();
  }
}

Deno.test("SqliteBroker keeps its streams in <domain>-streams.db unless its URI says otherwise", async () => {
  await withFolder(async (folder) => {
    for (const settings of [{}, { URI: "sqlite:///else where.db" }]) {
      const broker = brokerIn(folder, settings);
      await broker.open();
      await broker.close();
    }
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
      name.endsWith(".db")
    );
    assertEquals(files.sort(), ["else where.db", "shop-streams.db"]);
  });
});

Deno.test("SqliteBroker keeps everything when it is closed and opened again", async () => {
  await withFolder(async (folder) => {
    const clock = new FakeClock();
    const consumer = { stream: "orders", group: "g1", consumer: "a" };
    const first = brokerIn(folder, {}, clock);
    await first.open();
    await first.group(consumer).ensure();
    await first.publish(numbered(3).map((data) => ({ stream: "orders", data })));
    const read = await first.group(consumer).read({ count: 2 });
    await first.close();
    await clock.advance(1000);

    const second = brokerIn(folder, {}, clock);
    await second.open();
    const group = second.group(consumer);
    // Whoever had it open has let it go: nobody works on these any more.
    assertEquals(
      await group.pending({ limit: 9 }),
      read.map(({ id }) => ({ id, consumer: "a", count: 1, idleMs: Infinity })),
    );
    assertEquals((await group.read({ count: 9 })).map(({ data }) => data), ["3"]);
    await second.close();
  });
});

Deno.test("SqliteBroker removes at its start the entries of a purge that a crash cut short", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "shop-streams.db");
    const first = brokerIn(folder);
    await first.open();
    await first.publish(numbered(2500).map((data) => ({ stream: "orders:dlq", data })));
    await first.publish([{ stream: "orders", data: "kept" }]);
    await first.close();
    const db = new DatabaseSync(path);
    db.exec("UPDATE protean_stream SET name = NULL WHERE name = 'orders:dlq'");
    db.close();

    const second = brokerIn(folder);
    await second.open();
    assertEquals(await second.length("orders:dlq"), 0);
    assertEquals(await second.length("orders"), 1);
    await second.close();
    assertEquals([count(path, "protean_stream"), count(path, "protean_stream_entry")], [1, 1]);
  });
});

Deno.test("SqliteBroker leaves nothing behind of a stream that was purged", async () => {
  await withFolder(async (folder) => {
    const broker = brokerIn(folder);
    await broker.open();
    const group = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await group.ensure();
    await broker.publish(numbered(2500).map((data) => ({ stream: "orders", data })));
    await group.read({ count: 10 });
    assertEquals(await broker.deadLetters.purge("orders"), 2500);
    await broker.close();
    for (const table of ["", "_entry", "_group", "_consumer", "_pending"]) {
      assertEquals(count(join(folder, "shop-streams.db"), `protean_stream${table}`), 0, table);
    }
  });
});

Deno.test("SqliteBroker refuses at its start a file that no waiting mends", async (test) => {
  const cases: Record<string, (folder: string) => Promise<Record<string, unknown>>> = {
    "in a folder that does not exist": () => Promise.resolve({ URI: "sqlite:///none/streams.db" }),
    "that is not a database": async (folder) => {
      await Deno.writeTextFile(join(folder, "shop-streams.db"), "x".repeat(5000));
      return {};
    },
    "with other tables of these names": (folder) => {
      const db = new DatabaseSync(join(folder, "shop-streams.db"));
      db.exec("CREATE TABLE protean_stream_group (id integer)");
      db.close();
      return Promise.resolve({});
    },
  };
  for (const [name, prepare] of Object.entries(cases)) {
    await test.step(name, () =>
      withFolder(async (folder) => {
        const broker = brokerIn(folder, await prepare(folder));
        await assertRejects(() => broker.open(), ConfigurationError);
        await broker.close();
      }));
  }
});

Deno.test("SqliteBroker refuses a URI that is none", () => {
  for (const URI of ["redis://localhost", "sqlite://", 7]) {
    assertThrows(() => brokerIn("/tmp", { URI }), ConfigurationError);
  }
});

Deno.test("SqliteBroker says how to use it when it is not open", async () => {
  await withFolder(async (folder) => {
    const broker = brokerIn(folder);
    await assertRejects(() => broker.length("orders"), IncorrectUsageError);
    await assertRejects(() => broker.publish([{ stream: "orders", data: "x" }]), IncorrectUsageError);
    await broker.close();
  });
});

Deno.test("SqliteBroker is unavailable while another process keeps its file locked, and goes on after", async () => {
  await withFolder(async (folder) => {
    const clock = new FakeClock();
    const broker = brokerIn(folder, {}, clock);
    await broker.open();
    const group = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await group.ensure();
    const published = idsOf(await broker.publish([{ stream: "orders", data: "1" }]));
    const other = new DatabaseSync(join(folder, "shop-streams.db"));
    other.exec("BEGIN IMMEDIATE");
    const tries = [
      assertRejects(() => broker.publish([{ stream: "orders", data: "2" }]), BrokerUnavailableError),
      assertRejects(() => group.read({ count: 9 }), BrokerUnavailableError),
      assertRejects(() => group.ack(["1-1"]), BrokerUnavailableError),
    ];
    await clock.advance(120_000);
    await Promise.all(tries);
    assertEquals(await broker.length("orders"), 1);
    other.exec("ROLLBACK");
    other.close();
    assertEquals(idsOf(await group.read({ count: 9 })), published);
    await broker.close();
    assertEquals(clock.pending, 0);
  });
});

Deno.test("SqliteBroker ends a waiting read when it is closed, and leaves no timer", async () => {
  await withFolder(async (folder) => {
    const clock = new FakeClock();
    const broker = brokerIn(folder, {}, clock);
    await broker.open();
    const group = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    await group.ensure();
    const reading = group.read({ count: 1, blockMs: 60_000 });
    await clock.advance(10);
    await broker.close();
    assertEquals(await reading, []);
    assertEquals(clock.pending, 0);
    await assertRejects(() => broker.ping(AbortSignal.timeout(1000)), IncorrectUsageError);
  });
});

Deno.test("SqliteBroker keeps bytes of others that are not UTF-8 (L8a)", async () => {
  await withFolder(async (folder) => {
    const broker = brokerIn(folder);
    await broker.open();
    await broker.publish(["{}", "é"].map((data) => ({ stream: "orders", data })));
    const db = new DatabaseSync(join(folder, "shop-streams.db"));
    db.exec("UPDATE protean_stream_entry SET data = x'7bff' WHERE data = '{}'");
    db.exec("UPDATE protean_stream_entry SET data = x'efbbbfc3a9' WHERE data = 'é'");
    db.close();
    const reader = broker.group({ stream: "orders", group: "g", consumer: "a" });
    await reader.ensure();
    const entries = await reader.read({ count: 10 });
    assertEquals(entries.map(({ data }) => data), ['{"base64":"e/8="}', "\ufeffé"]);
    await broker.close();
  });
});
