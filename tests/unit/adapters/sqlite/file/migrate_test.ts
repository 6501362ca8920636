import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type Step } from "../../../../../lib/adapters/migrations.ts";
import { SqliteDatabase } from "../../../../../lib/adapters/sqlite/file/database.ts";
import {
  component,
  migrate,
  schemasOf,
  type SqliteComponent,
} from "../../../../../lib/adapters/sqlite/file/migrate.ts";
import { systemClock } from "../../../../../lib/async/clock.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";
import { ConfigurationError } from "../../../../../lib/errors.ts";

const CREATE: Step = {
  title: "create it",
  additive: true,
  statements: ["CREATE TABLE things (id integer PRIMARY KEY, name text)"],
};
const AMOUNT: Step = {
  title: "add the column amount",
  additive: true,
  statements: ["ALTER TABLE things ADD COLUMN amount integer", "UPDATE things SET amount = 7"],
};
const RENAME: Step = {
  title: "rename name",
  additive: false,
  statements: ["ALTER TABLE things RENAME COLUMN name TO label"],
};

function things(...later: readonly Step[]): readonly SqliteComponent[] {
  return [component({ name: "things", columns: { things: ["id"] }, steps: [CREATE, ...later] })];
}

/** A file with version 1 of `things` in it, made by a server that recorded nothing, and one row. */
async function withFile(prove: (database: SqliteDatabase, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "things.db");
  {
    using db = new DatabaseSync(path);
    db.exec(`${CREATE.statements[0]}; INSERT INTO things (name) VALUES ('one')`);
  }
  const database = await SqliteDatabase.open({ path, synchronous: "FULL", clock: new FakeClock() });
  try {
    await prove(database, path);
  } finally {
    await database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function version(
  database: SqliteDatabase,
  components: readonly SqliteComponent[],
): Promise<number | undefined> {
  const schemas = await database.read((db) => schemasOf(db, components));
  return schemas.find((schema) => schema.component === "things")?.version;
}

Deno.test("a SQLite file goes from step to step, with its data", async () => {
  await withFile(async (database) => {
    await migrate(database, things(AMOUNT));
    assertEquals(await version(database, things(AMOUNT)), 2);
    await migrate(database, things(AMOUNT, RENAME));
    const rows = await database.read((db) => db.prepare("SELECT label, amount FROM things").all());
    assertEquals(rows.map((row) => ({ ...row })), [{ label: "one", amount: 7 }]);
    const recorded = "SELECT version, compatible FROM protean_schema WHERE component = 'things'";
    const row = await database.read((db) => db.prepare(recorded).get());
    assertEquals({ ...row }, { version: 3, compatible: 3 });
  });
});

Deno.test("an older server works on a SQLite file whose newer steps are additive, and refuses another", async () => {
  await withFile(async (database) => {
    await migrate(database, things(AMOUNT));
    await migrate(database, things());
    assertEquals(await version(database, things()), 2, "it leaves the version as it is");
    await migrate(database, things(AMOUNT, RENAME));
    const error = await assertRejects(() => migrate(database, things(AMOUNT)), ConfigurationError);
    assertEquals(error.code, "DATABASE_SCHEMA_NEWER");
    assertStringIncludes(error.message, "has schema version 3, and this server knows up to 2");
  });
});

Deno.test("a step that fails on a SQLite file leaves everything as it was, and is named", async () => {
  await withFile(async (database) => {
    const broken: Step = {
      title: "break it",
      additive: true,
      statements: ["ALTER TABLE things ADD COLUMN wrong text", "UPDATE missing SET a = 1"],
    };
    const components = things(AMOUNT, broken);
    const error = await assertRejects(() => migrate(database, components), ConfigurationError);
    assertEquals(error.code, "DATABASE_UPGRADE_FAILED");
    assertStringIncludes(
      error.message,
      "making things version 3 (break it), which leaves it at version 2: no such table",
    );
    assertEquals(await version(database, components), 2);
    const columns = await database.read((db) =>
      db.prepare("SELECT name FROM pragma_table_info('things')").all()
    );
    assertEquals(columns.map(({ name }) => name), ["id", "name", "amount"]);
    await migrate(database, things(AMOUNT, RENAME));
  });
});

Deno.test("a table that is not ours is refused, with a version or without one", async () => {
  await withFile(async (database, path) => {
    const ours = [component({ name: "things", columns: { things: ["id", "amount"] }, steps: [CREATE] })];
    const error = await assertRejects(() => migrate(database, ours), ConfigurationError, "lacks amount");
    assertEquals(error.code, "DATABASE_TABLE_DIFFERS");
    await migrate(database, things());
    using db = new DatabaseSync(path);
    db.exec("DROP TABLE things; CREATE TABLE things (theirs text)");
    await assertRejects(() => migrate(database, things()), ConfigurationError, "lacks id");
  });
});

/** A process that upgrades the file with steps of its own. */
function upgrading(path: string, statements: readonly string[]): Deno.ChildProcess {
  const lib = (file: string) => JSON.stringify(new URL(`../../../../../lib/${file}`, import.meta.url).href);
  const script = `
    const { SqliteDatabase } = await import(${lib("adapters/sqlite/file/database.ts")});
    const { component, migrate } = await import(${lib("adapters/sqlite/file/migrate.ts")});
    const { systemClock } = await import(${lib("async/clock.ts")});
    const database = await SqliteDatabase.open({ path: ${
    JSON.stringify(path)
  }, synchronous: "FULL", clock: systemClock });
    console.log("open");
    const steps = [
      ${JSON.stringify(CREATE)},
      { title: "work", additive: true, statements: ${JSON.stringify(statements)} },
    ];
    await migrate(database, [component({ name: "things", columns: { things: ["id"] }, steps })]);
    await database.close();
    console.log("done");`;
  return new Deno.Command(Deno.execPath(), { args: ["eval", script], stdout: "piped", stderr: "inherit" })
    .spawn();
}

/** Adds a column, then works on the row for as long as it takes to add up so many numbers. */
function adding(numbers: number): readonly string[] {
  return [
    "ALTER TABLE things ADD COLUMN total integer DEFAULT 0",
    `UPDATE things SET total = total + (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${numbers})
      SELECT count(i) FROM n)`,
  ];
}

Deno.test("two processes that upgrade one SQLite file at once do so once", async () => {
  await withFile(async (database, path) => {
    const children = [upgrading(path, adding(300_000)), upgrading(path, adding(300_000))];
    for (const { code, stdout } of await Promise.all(children.map((child) => child.output()))) {
      assertEquals([code, new TextDecoder().decode(stdout)], [0, "open\ndone\n"]);
    }
    const row = await database.read((db) => db.prepare("SELECT total FROM things").get());
    assertEquals(row?.total, 300_000);
  });
});

Deno.test("a process killed in the middle of a step leaves the SQLite file as it was", async () => {
  await withFile(async (database, path) => {
    // It would take hours.
    const child = upgrading(path, adding(100_000_000_000));
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "open\n");
    await reader.cancel();
    await locked(path);
    child.kill("SIGKILL");
    await child.status;
    assertEquals(await version(database, things()), 1);
    await migrate(database, things(AMOUNT));
    const columns = await database.read((db) =>
      db.prepare("SELECT name FROM pragma_table_info('things')").all()
    );
    assertEquals(columns.map(({ name }) => name), ["id", "name", "amount"]);
  });
});

/**
 * Resolves once a step has been under way for a while: the file's write lock is held by nobody else for so
 * long.
 */
async function locked(path: string): Promise<void> {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA busy_timeout = 0");
  for (let busy = 0; busy < 10;) {
    try {
      db.exec("BEGIN IMMEDIATE; ROLLBACK");
      busy = 0;
    } catch {
      busy++;
    }
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
  }
}

Deno.test("tables that an older server has made again are upgraded again, whatever their record says", async () => {
  await withFile(async (database, path) => {
    const adding: Step = {
      title: "add the column amount",
      additive: true,
      adds: "amount",
      statements: ["ALTER TABLE things ADD COLUMN amount integer"],
    };
    await migrate(database, things(adding));
    {
      using older = new DatabaseSync(path);
      older.exec(`DROP TABLE things; ${CREATE.statements[0]}`);
    }
    await migrate(database, things(adding));
    await database.read((db) => db.prepare("SELECT amount FROM things").all());
    {
      using operator = new DatabaseSync(path);
      operator.exec("DROP TABLE protean_schema");
    }
    await migrate(database, things(adding));
    assertEquals(await version(database, things(adding)), 2);
  });
});
