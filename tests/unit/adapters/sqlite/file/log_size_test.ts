import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteDatabase } from "../../../../../lib/adapters/sqlite/file/database.ts";
import { LogSize } from "../../../../../lib/adapters/sqlite/file/log_size.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";
import { logged } from "../../../../support/logged.ts";

const LIMIT = 1024 * 1024;

/** A file with a writer, a reader that keeps a snapshot until told, and a watch with a small limit. */
async function withFile(
  prove: (parts: {
    readonly clock: FakeClock;
    readonly write: (bytes: number) => Promise<void>;
    readonly endSnapshot: () => void;
    readonly size: () => number;
  }) => Promise<void>,
): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "shop.db");
  const clock = new FakeClock();
  const records = await logged(async () => {
    using db = new DatabaseSync(path);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0; CREATE TABLE things (text)");
    const watch = new LogSize({ path, db, clock, limit: LIMIT });
    using reader = new DatabaseSync(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM things").get();
    const write = async (bytes: number) => {
      for (let written = 0; written < bytes; written += LIMIT / 4) {
        db.prepare("INSERT INTO things VALUES (zeroblob(?))").run(LIMIT / 4);
        watch.committed();
        await clock.advance(1000);
      }
    };
    const size = () => Deno.statSync(`${path}-wal`).size;
    await prove({ clock, write, size, endSnapshot: () => reader.exec("ROLLBACK") });
    watch.close();
    assertEquals(clock.pending, 0);
  });
  await Deno.remove(folder, { recursive: true });
  return records.map(({ rawMessage, properties }) => {
    const { bytes } = properties;
    return `${rawMessage} ${Math.floor(Number(bytes) / LIMIT)}`;
  });
}

Deno.test("a snapshot that is kept open is told of beyond the limit and whenever the log has doubled, and no more", async () => {
  const told = await withFile(async ({ write, endSnapshot, size, clock }) => {
    await write(LIMIT * 5);
    assert(size() > LIMIT * 4);
    endSnapshot();
    await clock.advance(5000);
    assertEquals(size(), 0, "nobody has to commit for it");
    await write(LIMIT / 2);
  });
  assertEquals(told, [
    "sqlite.log_grows 1",
    "sqlite.log_grows 2",
    "sqlite.log_grows 4",
    "sqlite.log_emptied 5",
  ]);
});

Deno.test("a log that is long and that nobody holds is emptied without a word", async () => {
  const told = await withFile(async ({ write, endSnapshot, size }) => {
    endSnapshot();
    await write(LIMIT * 3);
    assert(size() <= LIMIT + LIMIT / 2);
  });
  assertEquals(told, []);
});

Deno.test("SqliteDatabase tells of a log that a snapshot lets grow beyond 64 MB, and empties it afterwards", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "shop.db");
  const clock = new FakeClock();
  const records = await logged(async () => {
    const database = await SqliteDatabase.open({ path, synchronous: "NORMAL", clock });
    await database.write((db) => db.exec("CREATE TABLE things (text)"));
    using reader = new DatabaseSync(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM things").get();
    for (let megabytes = 0; megabytes < 72; megabytes += 8) {
      await database.write((db) => db.prepare("INSERT INTO things VALUES (zeroblob(?))").run(8 * LIMIT));
      await clock.advance(1000);
    }
    reader.exec("ROLLBACK");
    await clock.advance(5000);
    assertEquals(Deno.statSync(`${path}-wal`).size, 0);
    await database.close();
  });
  assertEquals(records.map(({ rawMessage }) => rawMessage), ["sqlite.log_grows", "sqlite.log_emptied"]);
  assertEquals(clock.pending, 0);
  await Deno.remove(folder, { recursive: true });
});
