/**
 * What PostgreSQL, its rights, its tables or its TLS refuse: one clear sentence each, never with the password
 * (issue 3, bad input). Only what waiting may mend is `ProviderUnavailableError`; everything else stops the
 * start.
 *
 * @module
 */
import { assertEquals, assertFalse, assertRejects, assertStringIncludes } from "@std/assert";
import {
  ConfigurationError,
  ProteanError,
  ProviderUnavailableError,
  RefusedError,
} from "../../lib/errors.ts";
import { outboxInsert } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { postgresAvailable, PostgresServer, postgresTest } from "../support/postgres_server.ts";

let server: PostgresServer;

if (postgresAvailable) {
  Deno.test.beforeAll(async () => {
    server = await PostgresServer.start({
      settings: { fsync: "off" },
      hba: [
        "host all postgres 127.0.0.1/32 trust",
        "host all barred 127.0.0.1/32 reject",
        "local all all trust",
        "host all all 127.0.0.1/32 scram-sha-256",
      ],
    });
    await server.sql(
      "create role ann login password 'secret'",
      "create role barred login password 'secret'",
      "create database closed",
      "revoke connect on database closed from public",
      "create schema theirs",
      "create schema taken",
      "create table taken.protean_processed (id int not null, handler int, message_id text)",
      "create schema seen",
      "create view seen.protean_outbox as select 1 as seq",
    );
  });
  Deno.test.afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
}

type Refusal = new (...args: never[]) => Error;
const asAnn = (rest = "postgres") => `postgresql://ann:secret@127.0.0.1:${server.port}/${rest}`;

interface Case {
  readonly name: string;
  readonly uri: () => string;
  readonly schema?: string;
  readonly error: Refusal;
  readonly parts: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "a wrong password",
    uri: () => asAnn().replace("secret", "guess"),
    error: ConfigurationError,
    parts: ['password authentication failed for user "ann"', "database_uri"],
  },
  {
    name: "an unknown role",
    uri: () => asAnn().replace("ann", "nobody"),
    error: ConfigurationError,
    parts: ['user "nobody"', "database_uri"],
  },
  {
    name: "a role that pg_hba.conf rejects",
    uri: () => asAnn().replace("ann", "barred"),
    error: ConfigurationError,
    parts: ["pg_hba.conf rejects connection"],
  },
  {
    name: "an unknown database",
    uri: () => server.uri({ database: "nowhere" }),
    error: ConfigurationError,
    parts: ['database "nowhere" does not exist', "create the database"],
  },
  {
    name: "a database without the right to connect",
    uri: () => asAnn("closed"),
    error: ConfigurationError,
    parts: ['permission denied for database "closed"', "grant the rights"],
  },
  {
    name: "a schema without the right to create",
    uri: () => asAnn(),
    schema: "theirs",
    error: ConfigurationError,
    parts: ["permission denied for schema theirs", "grant the rights"],
  },
  {
    name: "a schema that cannot be created",
    uri: () => asAnn(),
    schema: "mine",
    error: ConfigurationError,
    parts: ["permission denied for database postgres"],
  },
  {
    name: "a table with other columns",
    uri: () => server.uri(),
    schema: "taken",
    error: ConfigurationError,
    parts: [
      "taken.protean_processed",
      "column handler is integer instead of text",
      "column processed_at is missing",
      "column id is unknown and must not be null",
    ],
  },
  {
    name: "a view of that name",
    uri: () => server.uri(),
    schema: "seen",
    error: ConfigurationError,
    parts: ["seen.protean_outbox", "it is not a table"],
  },
  {
    name: "TLS that the server does not offer",
    uri: () => server.uri({ query: "sslmode=require" }),
    error: ConfigurationError,
    parts: ["offers no TLS", "sslmode=require"],
  },
  {
    name: "a parameter that the server does not know",
    uri: () => server.uri({ query: "options=-c%20no_such_setting%3D1" }),
    error: ConfigurationError,
    parts: ["no_such_setting"],
  },
  {
    name: "a host that does not exist",
    uri: () => "postgresql://ann:secret@no-such-host.invalid/postgres",
    error: ProviderUnavailableError,
    parts: ["no-such-host.invalid", "cannot be reached"],
  },
  {
    name: "a port on which nobody listens",
    uri: () => "postgresql://ann:secret@127.0.0.1:1/postgres",
    error: ProviderUnavailableError,
    parts: ["127.0.0.1:1", "ECONNREFUSED", "correct host and port"],
  },
  {
    name: "a socket folder without a socket",
    uri: () => `postgresql://ann:secret@/postgres?host=${server.folder}/data`,
    error: ProviderUnavailableError,
    parts: ["cannot be reached", "ENOENT"],
  },
];

for (const { name, uri, schema, error, parts } of cases) {
  postgresTest(`${name} is refused in one sentence: ${error.name}`, async () => {
    const settings = schema === undefined ? {} : { schema };
    await using provider = new TestProvider({ uri: uri(), settings });
    const { message } = await assertRejects(() => provider.setup("own", []), error as typeof Error);
    for (const part of ["'default'", ...parts]) assertStringIncludes(message, part);
    assertFalse(message.includes("secret") || message.includes("guess") || message.includes("\n"), message);
  });
}

postgresTest("something that is not PostgreSQL is told from a server that is away", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const talking = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(64));
      await connection.write(new TextEncoder().encode("-ERR unknown command\r\n"));
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  {
    await using provider = new TestProvider({ uri: `postgresql://ann@127.0.0.1:${port}/shop` });
    const { message } = await assertRejects(() => provider.setup("own", []), ConfigurationError);
    assertStringIncludes(message, "it is not PostgreSQL");
  }
  listener.close();
  await talking;
});

postgresTest("a server that never answers is given up after connect_timeout", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const uri = `postgresql://ann@127.0.0.1:${port}/shop?connect_timeout=0.1`;
  {
    await using provider = new TestProvider({ uri });
    const { message } = await assertRejects(() => provider.setup("own", []), ProviderUnavailableError);
    assertStringIncludes(message, "no answer within 0.1 s");
  }
  listener.close();
});

postgresTest("the next of several hosts is tried when the first is away", async () => {
  const uri = `postgresql://postgres@127.0.0.1:1,127.0.0.1:${server.port}/postgres`;
  await using provider = await TestProvider.ready({ uri, settings: { schema: "second" } });
  await provider.ping(AbortSignal.timeout(5000));
});

postgresTest("a Unix socket and a SCRAM password work", async () => {
  await server.sql("create schema anns authorization ann");
  const settings = { schema: "anns" };
  await using local = await TestProvider.ready({
    uri: `postgresql://ann@/postgres?host=${server.folder}&port=${server.port}`,
    settings,
  });
  await using remote = await TestProvider.ready({ uri: asAnn(), settings });
  for (const provider of [local, remote]) await provider.ping(AbortSignal.timeout(5000));
});

postgresTest("tables that exist need no right to create", async () => {
  {
    await using owner = await TestProvider.ready({ uri: server.uri(), settings: { schema: "shared" } });
    await owner.ping(AbortSignal.timeout(5000));
  }
  await server.sql(
    "grant usage on schema shared to ann",
    "grant select, insert, update, delete on all tables in schema shared to ann",
  );
  await using provider = await TestProvider.ready({ uri: asAnn(), settings: { schema: "shared" } });
  await provider.commit({
    rows: [{ table: ORDERS, id: "o1", state: "{}", expected: -1 }],
    outbox: [outboxInsert("shop::order-o1")],
  });
});

const lacking: readonly (readonly [right: string, table: string])[] = [
  ["insert", "protean_outbox"],
  ["update", "protean_outbox"],
  ["delete", "protean_outbox"],
  ["select", "protean_processed"],
  ["insert", "protean_processed"],
  ["delete", "protean_processed"],
];

for (const [right, table] of lacking) {
  postgresTest(
    `a role that may not ${right} on ${table} is told before the start, not by every message`,
    async () => {
      const schema = `less_${crypto.randomUUID().slice(0, 8)}`;
      {
        await using owner = await TestProvider.ready({ uri: server.uri(), settings: { schema } });
        await owner.verify();
      }
      await server.sql(
        `grant usage on schema ${schema} to ann`,
        `grant select, insert, update, delete on all tables in schema ${schema} to ann`,
      );
      await using provider = new TestProvider({ uri: asAnn(), settings: { schema } });
      await provider.verify();
      await server.sql(`revoke ${right} on ${schema}.${table} from ann`);
      await provider.setup("own", []);
      const { message } = await assertRejects(() => provider.verify(), ConfigurationError);
      assertStringIncludes(message, `permission denied for table ${table}`);
    },
  );
}

postgresTest(
  "a connection that breaks while TLS begins is waited for, not taken for a bad certificate",
  async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const talking = (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(64));
        await connection.write(new TextEncoder().encode("S"));
        connection.close();
      }
    })();
    const { port } = listener.addr as Deno.NetAddr;
    {
      await using provider = new TestProvider({ uri: `postgresql://ann@127.0.0.1:${port}/shop` });
      await assertRejects(() => provider.setup("own", []), ProviderUnavailableError);
    }
    listener.close();
    await talking;
  },
);

postgresTest(
  "a row that a policy refuses is its message's own failure, and no right that is missing",
  async () => {
    const database = await server.createDatabase();
    const owner = await TestProvider.ready({ uri: database.uri() });
    await owner.close();
    await database.sql(
      "grant all on all tables in schema public to ann",
      "grant usage on all sequences in schema public to ann",
      `alter table ${ORDERS} enable row level security`,
      `create policy own on ${ORDERS} using (true) with check (id like 'own-%')`,
    );
    await using provider = new TestProvider({
      uri: database.uri({ user: "ann" }).replace(/ann:[^@]*@/, "ann:secret@"),
    });
    const save = (id: string) =>
      provider.commit({ rows: [{ table: ORDERS, id, state: "{}", expected: -1 }] });
    await save("own-1");
    const error = await assertRejects(() => save("other-1"), ProteanError, "row-level security");
    assertEquals([error instanceof RefusedError, error.code], [false, "SQL"]);
  },
);
