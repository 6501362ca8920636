import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type OpenDatabase,
  SqliteDatabase,
  statement,
} from "../../../../../lib/adapters/sqlite/file/database.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";
import { ConfigurationError, ProviderUnavailableError, UnavailableError } from "../../../../../lib/errors.ts";
import { until } from "../../../../support/until.ts";

interface Rig {
  readonly folder: string;
  readonly path: string;
  readonly clock: FakeClock;
  open(options?: Partial<OpenDatabase>): Promise<SqliteDatabase>;
}

/** A folder of its own, files closed and no timer left afterwards. */
async function withFolder(work: (rig: Rig) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const path = join(folder, "shop.db");
  const opened: SqliteDatabase[] = [];
  const open = async (options: Partial<OpenDatabase> = {}) => {
    const database = await SqliteDatabase.open({ path, synchronous: "NORMAL", clock, ...options });
    opened.push(database);
    return database;
  };
  try {
    await work({ folder, path, clock, open });
  } finally {
    for (const database of opened) await database.close();
    assertEquals(clock.pending, 0, "no timer is left behind");
    await Deno.remove(folder, { recursive: true });
  }
}

async function numbers(database: SqliteDatabase): Promise<unknown[]> {
  return await database.read((db) =>
    statement(db, "SELECT n FROM numbers ORDER BY n").all().map(({ n }) => n)
  );
}

async function createNumbers(database: SqliteDatabase): Promise<void> {
  await database.write((db) => db.prepare("CREATE TABLE numbers (n integer PRIMARY KEY)").run());
}

function insert(n: number) {
  return (db: DatabaseSync) => {
    statement(db, "INSERT INTO numbers VALUES (?)").run(n);
  };
}

/** Moves the clock until the promise is settled: retries wait for random times. */
async function advanceUntil(clock: FakeClock, promise: Promise<unknown>): Promise<void> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  while (!settled) await clock.advance(1);
}

Deno.test("SqliteDatabase shares one file among all who open it in this process", () =>
  withFolder(async ({ folder, path, open }) => {
    const first = await open();
    await Deno.symlink(path, join(folder, "link.db"));
    for (const spelling of [path, `${folder}/./shop.db`, join(folder, "link.db")]) {
      assertStrictEquals(await open({ path: spelling }), first);
    }
    const [a, b] = await Promise.all([open({ path: `${path}2` }), open({ path: `${path}2` })]);
    assertStrictEquals(a, b);
  }));

Deno.test("SqliteDatabase stays open until the last of those who share it has closed it", () =>
  withFolder(async ({ path, clock }) => {
    const options = { path, synchronous: "NORMAL", clock } as const;
    const first = await SqliteDatabase.open(options);
    const second = await SqliteDatabase.open(options);
    await first.close();
    await createNumbers(second);
    const held = await second.hold();
    const waiting = second.write(insert(1));
    await second.close();
    await assertRejects(() => waiting, ProviderUnavailableError, "is closed");
    await assertRejects(() => second.read(() => 1), ProviderUnavailableError, "is closed");
    held.rollback();
    await assertRejects(() => second.hold(), ProviderUnavailableError, "is closed");
    await second.close();
    const again = await SqliteDatabase.open(options);
    assertEquals(await numbers(again), []);
    await again.close();
  }));

Deno.test("SqliteDatabase refuses to hold the database and streams or a cache in one file", () =>
  withFolder(async ({ open, path }) => {
    for (const [first, second] of [["FULL", "NORMAL"], ["NORMAL", "FULL"]] as const) {
      const database = await SqliteDatabase.open({ path, synchronous: first, clock: new FakeClock() });
      await assertRejects(() => open({ synchronous: second }), ConfigurationError, "a file of their own");
      await database.close();
    }
  }));

Deno.test("SqliteDatabase waits for the disk unless a commit need not survive a power cut", () =>
  withFolder(async ({ open }) => {
    const database = await open({ synchronous: "FULL" });
    const level = (durable: boolean) =>
      database.write((db) => db.prepare("PRAGMA synchronous").get()?.synchronous, { durable });
    assertEquals([await level(true), await level(false), await level(true)], [2, 1, 2]);
  }));

Deno.test("SqliteDatabase needs no folder for temporary files", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    const store = (db: DatabaseSync) => db.prepare("PRAGMA temp_store").get()?.temp_store;
    const MEMORY = 2;
    assertEquals([await database.write(store), await database.read(store)], [MEMORY, MEMORY]);
  }));

Deno.test("SqliteDatabase commits what work has written, and nothing when it throws", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    assertEquals(await database.write((db) => (insert(1)(db), "answer")), "answer");
    const failing = database.write((db) => {
      insert(2)(db);
      throw new RangeError("no");
    });
    await assertRejects(() => failing, RangeError, "no");
    await assertRejects(() => database.write(insert(1)), Error, "UNIQUE constraint failed");
    assertEquals(await numbers(database), [1]);
  }));

Deno.test("SqliteDatabase refuses to write on the reading connection", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    await assertRejects(() => database.read(insert(1)));
    assertEquals(await numbers(database), []);
  }));

Deno.test("SqliteDatabase holds a transaction across awaits while others read and wait", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    const held = await database.hold();
    held.run(insert(1));
    const order: string[] = [];
    const waiting = database.write(insert(2)).then(() => order.push("written"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(await numbers(database), []);
    order.push("committed");
    held.commit();
    await waiting;
    assertEquals([await numbers(database), order], [[1, 2], ["committed", "written"]]);
    held.rollback();
    const undone = await database.hold();
    undone.run(insert(3));
    undone.rollback();
    undone.rollback();
    await assertRejects(async () => await undone.run(insert(4)), ProviderUnavailableError);
    await assertRejects(async () => await undone.commit(), ProviderUnavailableError);
    assertEquals(await numbers(database), [1, 2]);
  }));

Deno.test("SqliteDatabase gives up waiting for its turn when the signal aborts", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    const held = await database.hold();
    const abort = new AbortController();
    const waiting = [database.write(insert(1), { signal: abort.signal }), database.hold(abort.signal)];
    abort.abort(new RangeError("cut"));
    for (const each of waiting) await assertRejects(() => each, RangeError, "cut");
    held.rollback();
    await database.write(insert(2));
    assertEquals(await numbers(database), [2]);
  }));

Deno.test("SqliteDatabase says what to do when a unit of work waits for another that waits for it", () =>
  withFolder(async ({ open, clock, path }) => {
    const database = await open();
    const held = await database.hold();
    const waiting = assertRejects(
      () => database.hold(),
      ProviderUnavailableError,
      "do not wait for one unit of work",
    );
    await clock.advance(30_000);
    const error = await waiting;
    assert(error.message.includes(path));
    held.rollback();
  }));

Deno.test("SqliteDatabase waits for another process's transaction without stopping the event loop", () =>
  withFolder(async ({ open, path, clock }) => {
    const database = await open();
    await createNumbers(database);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    let runs = 0;
    const writing = database.write((db) => (runs++, insert(1)(db)));
    const holding = database.hold();
    await clock.advance(100);
    assertEquals([runs, await numbers(database)], [0, []]);
    other.exec("INSERT INTO numbers VALUES (7); COMMIT");
    await advanceUntil(clock, writing);
    await writing;
    (await holding).rollback();
    assertEquals([runs, await numbers(database)], [1, [1, 7]]);
    other.close();
  }));

Deno.test("SqliteDatabase stops waiting for another process when the signal aborts, or after half a minute", () =>
  withFolder(async ({ open, path, clock }) => {
    const database = await open();
    await createNumbers(database);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const abort = new AbortController();
    const cut = database.write(insert(1), { signal: abort.signal });
    await clock.advance(50);
    abort.abort(new RangeError("cut"));
    await assertRejects(() => cut, RangeError, "cut");
    const late = database.hold();
    const refused = assertRejects(() => late, ProviderUnavailableError, "locked by another process for 30 s");
    await advanceUntil(clock, late);
    await refused;
    other.exec("ROLLBACK");
    other.close();
    await database.write(insert(2));
    assertEquals(await numbers(database), [2]);
  }));

Deno.test("SqliteDatabase waits half a minute for a lock and not for each who comes while it lasts", () =>
  withFolder(async ({ open, path, clock }) => {
    const database = await open();
    await createNumbers(database);
    using other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const began = clock.monotonic();
    const first = database.hold();
    const second = clock.advance(20_000).then(() => database.write(insert(1)));
    for (const late of [first, second]) {
      const refused = assertRejects(() => late, ProviderUnavailableError, "locked by another process for 3");
      await advanceUntil(clock, late);
      await refused;
    }
    const third = database.write(insert(1));
    const refused = assertRejects(() => third, ProviderUnavailableError, "locked by another process for 3");
    await advanceUntil(clock, third);
    await refused;
    assert(clock.monotonic() - began < 36_000, `${clock.monotonic() - began} ms`);
    // Somebody else's lock, later, is waited for as long as ever.
    await clock.advance(60_000);
    const fourth = database.write(insert(2));
    await clock.advance(20_000);
    other.exec("ROLLBACK");
    await advanceUntil(clock, fourth);
    assertEquals(await numbers(database), [2]);
  }));

Deno.test("SqliteDatabase opens no second time for half a minute what was locked when it was opened", () =>
  withFolder(async ({ open, path, clock }) => {
    await (await open()).close();
    using other = new DatabaseSync(path);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE theirs (id text)");
    const began = clock.monotonic();
    for (let attempt = 0; attempt < 3; attempt++) {
      const opening = open();
      const refused = assertRejects(() => opening, ProviderUnavailableError, "locked by another process");
      await advanceUntil(clock, opening);
      await refused;
    }
    assert(clock.monotonic() - began < 36_000, `${clock.monotonic() - began} ms`);
    other.exec("ROLLBACK");
    other.close();
    await open();
  }));

Deno.test("SqliteDatabase tells readiness of a lock that lasts, also where nobody writes, and of its end", () =>
  withFolder(async ({ open, path, clock }) => {
    const database = await open();
    await createNumbers(database);
    using other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    await database.ping();
    await clock.advance(2000);
    await database.ping();
    await clock.advance(2000);
    await assertRejects(() => database.ping(), ProviderUnavailableError, "locked by another process for 4 s");
    const writing = database.write(insert(1));
    await clock.advance(1000);
    await assertRejects(() => database.ping(), ProviderUnavailableError, "locked by another process for 5 s");
    other.exec("ROLLBACK");
    await database.ping();
    await advanceUntil(clock, writing);
    const held = await database.hold();
    held.run(insert(2));
    await database.ping();
    held.commit();
    assertEquals(await numbers(database), [1, 2]);
  }));

Deno.test("SqliteDatabase tells watchers of commits here at once, several in one turn once", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    let calls = 0;
    const unwatch = database.watch(() => calls++);
    const held = await database.hold();
    held.run(insert(1));
    held.commit();
    assertEquals(calls, 0);
    await Promise.resolve();
    assertEquals(calls, 1);
    await database.write(insert(2), { notify: false });
    await assertRejects(() => database.write(insert(2)));
    assertEquals(calls, 1);
    await database.write(insert(3));
    assertEquals(calls, 2);
    unwatch();
    await database.write(insert(4));
    assertEquals(calls, 2);
  }));

Deno.test("SqliteDatabase notices another process's commit, and after the watch is over none", () =>
  withFolder(async ({ open, path, clock }) => {
    const database = await open();
    await createNumbers(database);
    const other = new DatabaseSync(path);
    let calls = 0;
    const unwatch = database.watch(() => calls++);
    await clock.advance(1000);
    assertEquals(calls, 0);
    other.exec("INSERT INTO numbers VALUES (1)");
    // The system tells in its own time.
    const told = (times: number) => until(() => clock.advance(1).then(() => calls === times), "to be told");
    await told(1);
    other.exec("INSERT INTO numbers VALUES (2)");
    await told(2);
    await database.write(insert(3));
    await clock.advance(1000);
    assertEquals(calls, 3);
    unwatch();
    unwatch();
    assertEquals(clock.pending, 0);
    other.exec("INSERT INTO numbers VALUES (4)");
    await clock.advance(1000);
    assertEquals(calls, 3);
    const again = database.watch(() => calls++);
    await clock.advance(1000);
    assertEquals(calls, 3);
    again();
    other.close();
  }));

Deno.test("SqliteDatabase refuses a file it cannot use, in one sentence that names it", () =>
  withFolder(async ({ folder, open }) => {
    await Deno.writeTextFile(join(folder, "text.db"), "This is no database. ".repeat(1000));
    await Deno.mkdir(join(folder, "folder.db"));
    const cases: readonly (readonly [path: string, reason: string])[] = [
      [join(folder, "missing", "shop.db"), "does not exist"],
      [join(folder, "text.db"), "is not a SQLite database: restore it from a backup"],
      [join(folder, "text.db", "shop.db"), "folder"],
      [join(folder, "folder.db"), "not a regular file"],
      ["/proc/shop.db", "cannot be opened"],
    ];
    for (const [path, reason] of cases) {
      const error = await assertRejects(() => open({ path }), ConfigurationError, reason);
      assert(error.message.includes(path) && error.code === "SQLITE_FILE", error.message);
      await assertRejects(() => open({ path }), ConfigurationError, reason);
    }
  }));

Deno.test("SqliteDatabase refuses a file it may only read", () =>
  withFolder(async ({ path, clock, open }) => {
    await (await SqliteDatabase.open({ path, synchronous: "FULL", clock })).close();
    await Deno.chmod(path, 0o400);
    // Root may write whatever the mode says.
    if (Deno.uid() === 0) return void await open();
    await assertRejects(() => open(), ConfigurationError, path);
  }));

Deno.test("SqliteDatabase waits for a file that another process is just closing", () =>
  withFolder(async ({ path, clock, open }) => {
    const other = new DatabaseSync(path);
    other.exec(
      "PRAGMA journal_mode = WAL; PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE numbers (n integer)",
    );
    const opening = open();
    await clock.advance(10);
    other.close();
    await advanceUntil(clock, opening);
    assertEquals(await numbers(await opening), []);
  }));

Deno.test("SqliteDatabase is unready on a full disk and ready again once there is room", () =>
  withFolder(async ({ open, path }) => {
    const database = await open();
    await database.write((db) => db.prepare("CREATE TABLE texts (text)").run());
    const limit = (pages: number) =>
      database.write((db) => void db.prepare(`PRAGMA max_page_count = ${pages}`).get(), { notify: false });
    const fill = () =>
      database.write((db) => void db.prepare("INSERT INTO texts VALUES (zeroblob(100000))").run());
    await limit(10);
    const full = await assertRejects(fill, ProviderUnavailableError, "disk is full");
    assert(full.message.includes(path));
    for (let probe = 0; probe < 2; probe++) {
      await assertRejects(() => database.ping(), ProviderUnavailableError, "disk is full");
    }
    await limit(1000);
    await database.ping();
    await fill();
    const tables = await database.read((db) => db.prepare("SELECT name FROM sqlite_schema").all());
    assertEquals(tables.map(({ name }) => name), ["texts"]);
  }));

Deno.test("SqliteDatabase ends a held transaction that a full disk has undone", () =>
  withFolder(async ({ open }) => {
    const database = await open();
    await createNumbers(database);
    await database.write((db) => void db.prepare("PRAGMA max_page_count = 10").get());
    const held = await database.hold();
    held.run(insert(1));
    const fill = (db: DatabaseSync) =>
      void db.prepare("CREATE TABLE t AS SELECT zeroblob(1000000) AS b").run();
    await assertRejects(async () => await held.run(fill), UnavailableError, "disk is full");
    held.rollback();
    await database.write(insert(2));
    assertEquals(await numbers(database), [2]);
  }));

Deno.test("SqliteDatabase is unready when its file was removed", () =>
  withFolder(async ({ open, path }) => {
    const database = await open();
    await database.ping();
    await Deno.remove(path);
    await assertRejects(() => database.ping(), ProviderUnavailableError, "removed or replaced");
  }));

Deno.test("a ping tells that another process keeps the file locked while somebody waits to write, and that it ended", async () => {
  await withFolder(async ({ path, clock, open }) => {
    const database = await open();
    await createNumbers(database);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    // Nobody has anything to write: it is no matter.
    await clock.advance(10_000);
    await database.ping();
    const writing = database.write(insert(1));
    await clock.advance(2_900);
    await database.ping();
    await clock.advance(200);
    const locked = "locked by another process for 3 s";
    await assertRejects(() => database.ping(), ProviderUnavailableError, locked);
    const given = assertRejects(() => writing, ProviderUnavailableError, "for 30 s");
    await clock.advance(30_000);
    await given;
    // Nobody waits now, but nobody got through since.
    const ping = database.ping();
    const refused = assertRejects(() => ping, ProviderUnavailableError, "locked by another process");
    await advanceUntil(clock, ping);
    await refused;
    other.exec("ROLLBACK");
    await database.ping();
    await database.ping();
    other.close();
  });
});
