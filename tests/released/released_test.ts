/**
 * Databases of released versions, as `make.ts` has made them: this server upgrades them and works off what is
 * in them.
 *
 * A folder for each version; when one is released, its database is made and its folder added here.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { run } from "../e2e/run.ts";
import { PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const VERSIONS = ["80a2494"];

const postgres = sharedPostgres();

interface Component {
  readonly adapter: string;
  readonly component: string;
  readonly version: number;
  readonly latest: number;
  readonly compatible: number;
  readonly state: string;
}

/** A released database, loaded, and the command line on it. */
class Released implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly version: string,
    readonly database?: PostgresDatabase,
  ) {}

  static async load(version: string, database?: PostgresDatabase): Promise<Released> {
    const folder = await Deno.makeTempDir({ prefix: "protean-released-" });
    const toml = database
      ? `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${database.uri()}"\n`
      : "";
    // Whenever this runs: what was made long ago is not to be cleaned away before it is looked at.
    await Deno.writeTextFile(
      join(folder, "domain.toml"),
      `${toml}[server.health]\nenabled = false\n[server.dlq]\nenabled = false\n`,
    );
    const released = new Released(folder, version, database);
    const kind = database ? "postgres" : "sqlite";
    if (database) await database.sql(await released.text("postgres.sql"));
    else released.exec("my_domain.db", await released.text("sqlite.sql"));
    released.exec("my_domain-streams.db", await released.text(`${kind}-streams.sql`));
    return released;
  }

  text(name: string): Promise<string> {
    return Deno.readTextFile(new URL(`${this.version}/${name}`, import.meta.url));
  }

  exec(file: string, sql: string): void {
    using db = this.#open(file);
    db.exec(sql);
  }

  /** Rows as lines, columns parted by `|`. */
  async rows(sql: string): Promise<readonly string[]> {
    if (this.database) return await this.database.sql(sql);
    using db = this.#open("my_domain.db");
    return db.prepare(sql).all().map((row) => Object.values(row).join("|"));
  }

  /** Standard output of a command that has to succeed. */
  async run(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await run([...args, "--domain=my_domain", "--config=domain.toml"], {
      cwd: this.folder,
    });
    assertEquals(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  }

  async components(): Promise<readonly Component[]> {
    return JSON.parse(await this.run("db", "status", "--json")).data.components;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }

  #open(file: string): DatabaseSync {
    return new DatabaseSync(join(this.folder, file));
  }
}

const SUMMARIES = [
  "o-1|shipped|2",
  "o-2|cancelled|2",
  "o-3|shipped|2",
  "o-4|placed|1",
  "o-5|placed|1",
];

/** Every command and every event of every order has had its effect once. */
async function assertWorkedOff(released: Released): Promise<void> {
  const open = "select message_id from protean_outbox where status <> 'published'";
  assertEquals(await released.rows(open), []);
  assertEquals(
    await released.rows(
      `select id, state ->> 'status', state ->> 'events' from protean_my_domain_view_order_summary order by id`,
    ),
    SUMMARIES,
  );
  assertEquals(
    await released.rows("select id, version from protean_my_domain_order order by id"),
    ["o-1|1", "o-2|1", "o-3|1", "o-4|0", "o-5|0"],
  );
  const { data } = JSON.parse(await released.run("dlq", "list", "--json"));
  assertEquals(data.count, 2);
}

async function assertUpgraded(released: Released, version: string): Promise<void> {
  const components = await released.components();
  for (const { component, state } of components) assertEquals([component, state], [component, "current"]);
  // A step that an older server cannot work with raises `compatible`: then the release before it is no longer
  // served, and this says so.
  const compatible = components.filter((component) => component.compatible > 1);
  assertEquals(compatible, [], `servers of ${version} cannot work on this database`);
}

async function proves(released: Released, version: string): Promise<void> {
  const before = await released.components();
  const marks = before.find(({ component }) => component === "marks");
  assertEquals([marks?.version, marks?.state], [1, "behind"]);
  assert(before.every(({ version }) => version <= 1), "nothing is beyond version 1");

  const sql = await released.run("db", "upgrade", "--dry-run");
  assertStringIncludes(sql.toLowerCase(), "alter table");
  assertEquals(await released.components(), before, "a dry run changes nothing");

  await released.run("server", "--once");
  await assertWorkedOff(released);
  await released.run("db", "upgrade");
  await assertUpgraded(released, version);
  await assertWorkedOff(released);
}

for (const version of VERSIONS) {
  Deno.test(`the SQLite files of ${version} are upgraded and worked off, and that version could go on`, async () => {
    await using released = await Released.load(version);
    await proves(released, version);
    released.exec("my_domain.db", await released.text("sqlite-writes.sql"));
    released.exec("my_domain-streams.db", await released.text("sqlite-streams-writes.sql"));
  });

  postgresTest(
    `the PostgreSQL tables of ${version} are upgraded and worked off, and that version could go on`,
    async () => {
      await using released = await Released.load(version, await postgres());
      await proves(released, version);
      await released.database?.sql(await released.text("postgres-writes.sql"));
      released.exec("my_domain-streams.db", await released.text("sqlite-streams-writes.sql"));
    },
  );

  Deno.test(`the SQL that db upgrade prints for ${version} does by hand what it does itself`, async () => {
    await using released = await Released.load(version);
    const { data } = JSON.parse(await released.run("db", "upgrade", "--dry-run", "--json"));
    for (const { adapter, statements } of data.changes) {
      const file = ["database", "event_store"].includes(adapter) ? "my_domain.db" : "my_domain-streams.db";
      released.exec(file, `begin; ${statements.join(";\n")}; commit;`);
    }
    await assertUpgraded(released, version);
  });
}
