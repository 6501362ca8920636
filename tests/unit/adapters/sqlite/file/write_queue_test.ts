import { assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteDatabase, statement } from "../../../../../lib/adapters/sqlite/file/database.ts";
import { systemClock } from "../../../../../lib/async/clock.ts";

async function withDatabase(work: (database: SqliteDatabase, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/shop.db`;
  const database = await SqliteDatabase.open({ path, synchronous: "FULL", clock: systemClock });
  try {
    await database.write((db) => db.exec("CREATE TABLE numbers (n integer PRIMARY KEY)"));
    await work(database, path);
  } finally {
    await database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const insert = (n: number) => (db: DatabaseSync) => {
  statement(db, "INSERT INTO numbers VALUES (?)").run(n);
};

async function numbers(database: SqliteDatabase): Promise<number[]> {
  return await database.read((db) =>
    db.prepare("SELECT n FROM numbers ORDER BY n").all().map((row) => Number(row.n))
  );
}

/** How often the file was committed to, as another connection sees it. */
function commits(path: string): { count(): number; close(): void } {
  const other = new DatabaseSync(path);
  const version = other.prepare("PRAGMA data_version");
  let seen = version.get()?.data_version;
  let count = 0;
  return {
    count: () => {
      const now = version.get()?.data_version;
      if (now !== seen) count++;
      seen = now;
      return count;
    },
    close: () => other.close(),
  };
}

Deno.test("writes asked for in one turn are committed together, and each is there", () =>
  withDatabase(async (database, path) => {
    const watched = commits(path);
    let after: number | undefined;
    const writes = Array.from(
      { length: 10 },
      (_, n) => database.write(insert(n)).then(() => after ??= watched.count()),
    );
    await Promise.all(writes);
    // What the first to resolve sees is what the last sees: nothing was committed in between.
    assertEquals([after, watched.count()], [1, 1]);
    assertEquals(await numbers(database), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    watched.close();
  }));

Deno.test("one that fails takes no other with it, and leaves nothing of itself", () =>
  withDatabase(async (database) => {
    const good = database.write(insert(1));
    const half = database.write((db) => {
      insert(2)(db);
      throw new RangeError("halfway");
    });
    const clash = database.write(insert(1));
    const last = database.write(insert(3));
    const failures = [assertRejects(() => half, RangeError, "halfway"), assertRejects(() => clash)];
    await Promise.all([good, last, ...failures]);
    assertEquals(await numbers(database), [1, 3]);
  }));

Deno.test("one whose signal aborts before its turn is not written", () =>
  withDatabase(async (database) => {
    const held = await database.hold();
    const abort = new AbortController();
    const cut = database.write(insert(1), { signal: abort.signal });
    const kept = database.write(insert(2));
    abort.abort(new RangeError("cut"));
    await assertRejects(() => cut, RangeError, "cut");
    held.rollback();
    await kept;
    assertEquals(await numbers(database), [2]);
    await assertRejects(() => database.write(insert(3), { signal: abort.signal }), RangeError, "cut");
  }));

Deno.test("a held transaction asked for after a write begins after it, and holds back later ones", () =>
  withDatabase(async (database) => {
    const first = database.write(insert(1));
    const held = await database.hold();
    assertEquals(await numbers(database), [1]);
    const later = database.write(insert(2));
    held.run(insert(3));
    held.commit();
    await Promise.all([first, later]);
    assertEquals(await numbers(database), [1, 2, 3]);
  }));
