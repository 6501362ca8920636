/**
 * Servers that are named wrongly, or are not as they should be, told from outside in one sentence: what no
 * waiting mends ends the command with exit 2, what may come is waited for with readiness saying so (issue 3,
 * bad input).
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Redis } from "ioredis";
import { Installation } from "../e2e/server.ts";
import { postgresAvailable, type PostgresDatabase, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { serversConfig } from "./shared_config.ts";

/** What the cases are about. */
interface Servers {
  readonly postgres: PostgresServer;
  readonly database: PostgresDatabase;
  readonly redis: RedisServer;
  /** The right URIs. */
  readonly uris: { readonly database: string; readonly redis: string };
}

interface Case {
  readonly name: string;
  /** What of the configuration is wrong. */
  readonly wrong: (servers: Servers) => { readonly database?: string; readonly redis?: string };
  /** Makes the servers wrong, where the configuration is right. */
  readonly spoil?: (servers: Servers) => Promise<void>;
  /** Part of each sentence; one for each adapter that is concerned. */
  readonly says: readonly string[];
}

const PASSWORD = "right";
const LIMITED = "limited";
const twice = (text: string) =>
  [`brokers.default`, `caches.default`].map((section) => text.replace("§", section));

/** Ends `server` with exit 2. */
const hopeless: readonly Case[] = [
  {
    name: "a database URI of another scheme",
    wrong: () => ({ database: "mysql://root@127.0.0.1/shop" }),
    says: ["does not begin with postgresql://"],
  },
  {
    name: "a database port that is none",
    wrong: () => ({ database: "postgresql://postgres@127.0.0.1:http/shop" }),
    says: ["has the port 'http'"],
  },
  {
    name: "a wrong database password",
    wrong: ({ postgres }) => ({
      database: `postgresql://${LIMITED}:secret@127.0.0.1:${postgres.port}/postgres`,
    }),
    says: [`password authentication failed for user "${LIMITED}"`],
  },
  {
    name: "a database that does not exist",
    wrong: ({ postgres }) => ({ database: postgres.uri({ database: "nowhere" }) }),
    says: ['database "nowhere" does not exist: create the database'],
  },
  {
    name: "a database role without rights on the schema",
    wrong: ({ database, postgres }) => ({
      database: `postgresql://${LIMITED}:${PASSWORD}@127.0.0.1:${postgres.port}/${database.name}`,
    }),
    says: ["permission denied for schema public"],
  },
  {
    name: "an outbox table with other columns",
    wrong: () => ({}),
    spoil: async ({ database }) => void await database.sql("create table protean_outbox (id int)"),
    says: ["table public.protean_outbox"],
  },
  {
    name: "an aggregate's table with other columns",
    wrong: () => ({}),
    spoil: async ({ database }) =>
      void await database.sql("create table protean_my_domain_order (id text, total numeric)"),
    says: ["is not as expected"],
  },
  {
    name: "a broker URI of another scheme",
    wrong: () => ({ redis: "http://127.0.0.1:6379" }),
    says: twice(
      "'§.URI' must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://: its scheme is http",
    ),
  },
  {
    name: "a wrong Redis password",
    wrong: ({ redis }) => ({ redis: `redis://:secret@127.0.0.1:${redis.port}/0` }),
    says: twice("(§) refuses the user or password"),
  },
  {
    name: "a Redis database that does not exist",
    wrong: ({ redis }) => ({ redis: `redis://:${PASSWORD}@127.0.0.1:${redis.port}/99` }),
    says: twice("(§) has no database 99"),
  },
  {
    name: "a stream key of another type",
    wrong: () => ({}),
    spoil: ({ redis }) => withRedis(redis, (client) => client.set("my_domain::order", "not a stream")),
    says: ["my_domain::order"],
  },
  {
    name: "a dead-letter key of another type",
    wrong: () => ({}),
    spoil: ({ redis }) =>
      withRedis(redis, (client) => client.set("my_domain::order:command:dlq", "not a stream")),
    says: ["my_domain::order:command:dlq"],
  },
];

/** Leaves `server` running and unready. */
const hopeful: readonly (Case & { readonly unready: "providers" | "brokers" })[] = [
  {
    name: "a database host that does not exist",
    wrong: () => ({ database: "postgresql://postgres@nowhere.invalid/shop" }),
    says: ["Database 'default' (postgres@nowhere.invalid:5432/shop) cannot be reached"],
    unready: "providers",
  },
  {
    name: "a database port that nobody listens on",
    wrong: () => ({ database: "postgresql://postgres@127.0.0.1:1/shop" }),
    says: ["Database 'default' (postgres@127.0.0.1:1/shop) cannot be reached"],
    unready: "providers",
  },
  {
    name: "a Redis host that does not exist",
    wrong: () => ({ redis: "redis://nowhere.invalid/0" }),
    says: twice("(§) is not available"),
    unready: "brokers",
  },
  {
    name: "a Redis port where something else listens",
    wrong: ({ postgres }) => ({ redis: `redis://127.0.0.1:${postgres.port}/0` }),
    says: twice("(§) is not available"),
    unready: "brokers",
  },
];

const ignore = !postgresAvailable || !redisAvailable;

Deno.test({ name: "servers that are named wrongly or are not as they should be", ignore }, async (t) => {
  await using postgres = await PostgresServer.start({
    settings: { fsync: "off" },
    hba: [`host all ${LIMITED} 127.0.0.1/32 scram-sha-256`, "host all all 127.0.0.1/32 trust"],
  });
  await using redis = await RedisServer.start({ args: ["--requirepass", PASSWORD] });
  await postgres.sql(`create role ${LIMITED} login password '${PASSWORD}'`);

  /** A database and an empty Redis of its own for each case, with the configuration that it makes of them. */
  const set = async ({ wrong, spoil }: Case) => {
    const database = await postgres.createDatabase();
    await database.sql("revoke create on schema public from public");
    await withRedis(redis, (client) => client.flushall());
    const uris = { database: database.uri(), redis: `redis://:${PASSWORD}@127.0.0.1:${redis.port}/0` };
    const servers = { postgres, database, redis, uris };
    await spoil?.(servers);
    return await Installation.create(serversConfig({ ...uris, ...wrong(servers) }));
  };

  for (const given of hopeless) {
    await t.step(`${given.name}: the server ends with exit 2 and says why`, async () => {
      await using installation = await set(given);
      const ended = await installation.command(["server", "--log-level=fatal"]);
      assertEquals(ended.code, 2, ended.err);
      told(ended.err, given.says);
    });
  }
  for (const given of hopeful) {
    await t.step(`${given.name}: the server runs on, says why and is not ready`, async () => {
      await using installation = await set(given);
      const server = await installation.launch();
      await server.until(async () => {
        const { status, body } = await server.probe("/readyz");
        const checks = body["checks"] as Record<string, Record<string, unknown>>;
        return status === 503 && checks[given.unready]?.["default"] === "unavailable";
      }, "readiness to tell");
      const { status } = await server.probe("/livez");
      assertEquals(status, 200);
      for (const sentence of given.says) {
        await server.until(async () => (await server.log()).includes(sentence), `the log to say ${sentence}`);
      }
      assertEquals(await server.end("SIGTERM"), 0, await server.log());
    });
  }
  await t.step(
    "a command that needs a database which refuses it ends with exit 2 and one sentence",
    async () => {
      const refused = hopeless.find(({ name }) => name === "a wrong database password");
      assert(refused);
      await using installation = await set(refused);
      for (
        const command of [["db", "setup"], ["send", "PlaceOrder", "--data", '{"orderId":"a","amount":1}']]
      ) {
        const ended = await installation.command(command);
        assertEquals(ended.code, 2, ended.err);
        told(ended.err, refused.says);
      }
    },
  );
});

/** One line for each sentence, no stack, no secret. */
function told(text: string, says: readonly string[]): void {
  const lines = text.trim().split("\n").filter((line) => !line.endsWith("cannot be opened:"));
  assertEquals(lines.length, says.length, text);
  says.forEach((part, index) => assertStringIncludes(lines[index] ?? "", part));
  assert(!text.includes("    at ") && !text.includes("secret"), text);
}

async function withRedis(server: RedisServer, work: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis({
    port: server.port,
    password: PASSWORD,
    retryStrategy: null,
    disableClientInfo: true,
  });
  try {
    await work(client);
  } finally {
    client.disconnect();
  }
}
