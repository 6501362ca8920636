/**
 * Versions of the tables in a real PostgreSQL, with steps of the test's own.
 */
import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { Step } from "../../lib/adapters/migrations.ts";
import { Connection } from "../../lib/adapters/postgres/connection/connection.ts";
import { Names } from "../../lib/adapters/postgres/connection/names.ts";
import { postgresSettings } from "../../lib/adapters/postgres/settings.ts";
import { component, type PostgresComponent } from "../../lib/adapters/postgres/tables/migrations.ts";
import { migrate, schemasOf, type Target } from "../../lib/adapters/postgres/tables/setup.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { preflight } from "../../lib/engine/preflight.ts";
import { ConfigurationError, ProviderUnavailableError } from "../../lib/errors.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const createDatabase = sharedPostgres();
const names = new Names("public");

const AMOUNT: Step = {
  title: "add the column amount",
  additive: true,
  statements: ["alter table things add column amount integer", "update things set amount = 7"],
};
const RENAME: Step = {
  title: "rename note",
  additive: false,
  statements: ["alter table things rename column note to remark"],
};

function things(...later: readonly Step[]): readonly PostgresComponent[] {
  return [
    component("things", { name: "things", columns: [{ name: "id", type: "integer" }] }, names, ...later),
  ];
}

/** Version 1 of `things`, made by a server that recorded nothing, and one row. */
async function withThings(
  prove: (database: PostgresDatabase, connect: () => Promise<Target>) => Promise<void>,
): Promise<void> {
  const database = await createDatabase();
  await database.sql("create table things (id integer, note text)", "insert into things values (1, 'one')");
  const open: Connection[] = [];
  const connect = async () => {
    const { uri } = postgresSettings("default", { database_uri: database.uri() });
    const where = { name: "default", label: uri.label };
    const connection = await Connection.open({
      ...where,
      uri,
      clock: systemClock,
      session: "set time zone 'UTC'",
    });
    open.push(connection);
    return { connection, names, where };
  };
  try {
    await prove(database, connect);
  } finally {
    for (const connection of open) await connection.close();
  }
}

async function version(target: Target): Promise<number | undefined> {
  return (await schemasOf(target, things())).find(({ component }) => component === "things")?.version;
}

function columns(database: PostgresDatabase): Promise<readonly string[]> {
  return database.sql(
    "select attname from pg_attribute where attrelid = 'things'::regclass and attnum > 0 order by 1",
  );
}

postgresTest(
  "PostgreSQL goes from step to step, with its data, and an older server as far as it can",
  async () => {
    await withThings(async (database, connect) => {
      const target = await connect();
      await migrate(target, things(AMOUNT));
      await migrate(target, things());
      assertEquals(await version(target), 2, "an older server leaves the version as it is");
      await migrate(target, things(AMOUNT, RENAME));
      assertEquals(await database.sql("select id, remark, amount from things"), ["1|one|7"]);
      assertEquals(
        await database.sql("select component, version, compatible from protean_schema order by 1"),
        ["schema|1|1", "things|3|3"],
      );
      const error = await assertRejects(() => migrate(target, things(AMOUNT)), ConfigurationError);
      assertEquals(error.code, "DATABASE_SCHEMA_NEWER");
      assertStringIncludes(error.message, "has schema version 3, and this server knows up to 2");
    });
  },
);

postgresTest("a step that fails in PostgreSQL leaves everything as it was, and is named", async () => {
  await withThings(async (database, connect) => {
    const broken: Step = {
      title: "break it",
      additive: true,
      statements: ["alter table things add column wrong text", "update missing set a = 1"],
    };
    const target = await connect();
    const error = await assertRejects(() => migrate(target, things(AMOUNT, broken)), ConfigurationError);
    assertStringIncludes(error.message, "making things version 3 (break it)");
    await target.connection.run("rollback", [], "simple");
    assertEquals([await version(target), await columns(database)], [2, ["amount", "id", "note"]]);
    await migrate(target, things(AMOUNT, RENAME));
  });
});

for (const isolation of ["read committed", "repeatable read"]) {
  postgresTest(
    `two servers that upgrade one PostgreSQL at once do so once, where ${isolation} is the default`,
    async () => {
      await withThings(async (database, connect) => {
        await database.sql(
          "do $$begin execute format('alter database %I set default_transaction_isolation = %L', " +
            `current_database(), '${isolation}'); end$$`,
        );
        const slow: Step = {
          title: "count",
          additive: true,
          statements: [
            "alter table things add column total integer default 0",
            "select pg_sleep(0.3)",
            "update things set total = total + 1",
          ],
        };
        const targets = await Promise.all([connect(), connect(), connect()]);
        await Promise.all(targets.map((target) => migrate(target, things(slow))));
        assertEquals(await database.sql("select total from things"), ["1"]);
      });
    },
  );
}

postgresTest("a server killed in the middle of a step leaves PostgreSQL as it was", async () => {
  await withThings(async (database, connect) => {
    const endless: Step = {
      title: "sleep",
      additive: true,
      statements: [...AMOUNT.statements, "select pg_sleep(60)"],
    };
    const [killed, target] = [await connect(), await connect()];
    const upgrading = migrate(killed, things(endless));
    const failed = assertRejects(() => upgrading);
    const sleeping =
      "select pid from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active' and pid <> pg_backend_pid()";
    await eventually("the step", async () => (await database.sql(sleeping)).length === 1);
    await database.sql(`select pg_terminate_backend(pid) from (${sleeping}) as it`);
    assertInstanceOf(await failed, Error);
    assertEquals([await version(target), await columns(database)], [1, ["id", "note"]]);
    await migrate(target, things(AMOUNT));
    assertEquals(await database.sql("select amount from things"), ["7"]);
  });
});

postgresTest(
  "a step waits no longer than 5 s for a table that is in use, for everybody waits behind it",
  async () => {
    await withThings(async (database, connect) => {
      const [reader, target] = [await connect(), await connect()];
      await reader.connection.run("begin", [], "simple");
      await reader.connection.run("select * from things", [], "simple");
      await assertRejects(
        () => migrate(target, things(AMOUNT)),
        ProviderUnavailableError,
        "making things version 2",
      );
      await target.connection.run("rollback", [], "simple");
      await reader.connection.run("commit", [], "simple");
      await migrate(target, things(AMOUNT));
      assertEquals(await database.sql("select amount from things"), ["7"]);
    });
  },
);

postgresTest(
  "an index that is missing waits no longer than a step does for a table that is in use",
  async () => {
    const database = await createDatabase();
    await using provider = await TestProvider.ready({ uri: database.uri() });
    await database.sql("drop index protean_outbox_poll");
    const { uri } = postgresSettings("default", { database_uri: database.uri() });
    const where = { name: "default", label: uri.label };
    const writer = await Connection.open({ ...where, uri, clock: systemClock, session: "select 1" });
    try {
      await writer.run("begin", [], "simple");
      await writer.run("update protean_outbox set priority = 1", [], "simple");
      await assertRejects(() => provider.setup("own", []), ProviderUnavailableError, "lock");
      await writer.run("commit", [], "simple");
      await provider.setup("own", []);
    } finally {
      await writer.close();
    }
  },
);

postgresTest(
  "tables that an older server has made again are upgraded again, whatever their record says",
  async () => {
    const database = await createDatabase();
    await using provider = await TestProvider.ready({ uri: database.uri() });
    const checksum = "select count(checksum) from protean_processed";
    await database.sql(
      "drop table protean_processed",
      "create table protean_processed (handler text not null, type text not null, message_id text not null, " +
        "processed_at timestamptz not null, primary key (handler, type, message_id))",
    );
    await provider.setup("own", []);
    assertEquals(await database.sql(checksum), ["0"]);
    await database.sql("drop table protean_schema");
    await provider.setup("own", []);
    assertEquals(await database.sql("select version from protean_schema where component = 'marks'"), ["2"]);
  },
);

postgresTest(
  "a provider refuses tables that a newer server has changed so that it cannot work with them",
  async () => {
    const database = await createDatabase();
    await using provider = await TestProvider.ready({ uri: database.uri() });
    const tables = [{ kind: "aggregate", name: ORDERS }] as const;
    for (const component of ["outbox", ORDERS]) {
      await database.sql(`update protean_schema set version = 9 where component = '${component}'`);
      await provider.setup("own", tables);
      await database.sql(`update protean_schema set compatible = 9 where component = '${component}'`);
      for (
        const setup of [
          () => provider.setup("own", tables),
          () => provider.setup("all", tables),
          () => provider.drop(tables),
        ]
      ) {
        const error = await assertRejects(setup, ConfigurationError, component);
        assertEquals(error.code, "DATABASE_SCHEMA_NEWER");
      }
      await database.sql(
        `update protean_schema set version = 1, compatible = 1 where component = '${component}'`,
      );
    }
    await provider.drop(tables);
    assertEquals(
      await database.sql("select relname from pg_class where relname like 'protean%' and relkind = 'r'"),
      [],
    );
  },
);

postgresTest(
  "an index that was dropped is made again, and what is up to date needs no right to create",
  async () => {
    const database = await createDatabase();
    await using provider = await TestProvider.ready({ uri: database.uri() });
    await database.sql("drop index protean_outbox_poll");
    await provider.setup("own", []);
    assertEquals(await database.sql("select relname from pg_class where relname = 'protean_outbox_poll'"), [
      "protean_outbox_poll",
    ]);
    await database.sql(
      "create role reader login",
      "grant select on all tables in schema public to reader",
      "revoke create on schema public from public",
    );
    await using limited = new TestProvider({ uri: database.uri({ user: "reader" }) });
    await limited.setup("own", [{ kind: "aggregate", name: ORDERS }]);
  },
);

postgresTest(
  "a server ends with one sentence where a newer one has changed an aggregate's table",
  async () => {
    const database = await createDatabase();
    await using provider = await TestProvider.ready({ uri: database.uri() });
    await database.sql(
      `alter table ${ORDERS} rename column state to document`,
      `update protean_schema set version = 2, compatible = 2 where component = '${ORDERS}'`,
    );
    const looking = preflight({
      check: () => Promise.resolve([]),
      providers: [provider],
      tables: new Map([["default", [{ kind: "aggregate", name: ORDERS }]]]),
      streams: [],
      required: false,
      clock: systemClock,
    });
    const error = await assertRejects(() => looking, ConfigurationError);
    assertEquals([error.code, error.message.split("\n").length], ["DATABASE_SCHEMA_NEWER", 1]);
  },
);
