/**
 * A backend that answers pings and refuses the work (D8, F31): readiness says so within ten seconds, with the
 * reason, and the work goes on by itself.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { Installation, type RunningServer } from "../e2e/server.ts";
import { logged } from "../e2e/tasks.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { serversConfig } from "./shared_config.ts";

const ignore = !postgresAvailable || !redisAvailable;
/** A refusal and its end are seen within this time (HLT-2), measured a second later. */
const NOTICED_MS = 11_000;
/** What waits is handled so long after the end. */
const HANDLED_MS = 15_000;
interface Scenario {
  readonly what: string;
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
  /** In the body. */
  readonly reason: string;
}

type Kind = "providers" | "brokers";

interface Stage {
  readonly installation: Installation;
  readonly server: RunningServer;
  readonly kind: Kind;
  readonly owner: string;
  /** How many orders are handled. */
  readonly handled: () => Promise<number>;
}

/** One order after the other, each of which meets a refusal and is handled once it is over. */
async function refuse(t: Deno.TestContext, stage: Stage, scenarios: readonly Scenario[]): Promise<void> {
  const { server, kind, handled } = stage;
  for (const [index, { what, begin, end, reason }] of scenarios.entries()) {
    const isFine = await t.step(what, async () => {
      const before = (await transitions(server)).length;
      await begin();
      try {
        await order(stage, `${kind}-${index}`);
        await probed(server, 503);
        const { body } = await server.probe("/readyz");
        assertStringIncludes(JSON.stringify(body["reasons"]), reason);
        const checks = body["checks"] as Record<Kind, Record<string, string>>;
        assertEquals(checks[kind]["default"], "unavailable", JSON.stringify(body));
      } finally {
        await end();
      }
      await probed(server, 200);
      await server.until(async () => await handled() === index + 1, "the order to be handled", HANDLED_MS);
      const told = async () => (await transitions(server)).slice(before).join();
      await server.until(
        async () => await told() === "health.component_unavailable,health.component_available",
        "both transitions to be logged, once",
        HANDLED_MS,
      );
    });
    // Whatever the next one would show, it would be about this one.
    if (!isFine) return;
  }
  assertEquals(await server.end("SIGTERM"), 0);
  for (const lost of ["subscription.dead_lettered", "outbox.abandoned"]) {
    assertEquals(await logged(server, lost), []);
  }
}

async function probed(server: RunningServer, expected: number): Promise<void> {
  await server.until(
    async () => (await server.probe("/readyz")).status === expected,
    `readiness to say ${expected}`,
    NOTICED_MS,
  );
}

async function transitions(server: RunningServer): Promise<string[]> {
  return (await server.log()).split("\n").flatMap((line) =>
    /"event":"(health\.component_\w+)"/.exec(line)?.[1] ?? []
  );
}

/** Sent by the owner of the database, whom nothing is refused. */
async function order({ installation, owner }: Stage, id: string): Promise<void> {
  const sent = await installation.command(
    ["send", "PlaceOrder", "--data", `{"orderId":"${id}","amount":10}`],
    { env: { DATABASE: owner } },
  );
  assertEquals(sent.code, 0, sent.err);
}

Deno.test({
  name: "Redis that answers pings and refuses the work is told within ten seconds, and that it ended",
  ignore,
}, async (t) => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const client = new Redis(redis.uri, { disableClientInfo: true });
  client.on("error", () => {});
  using _closing = { [Symbol.dispose]: () => client.disconnect() };
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const server = await installation.start();
  const config = (key: string, value: string) => () => client.config("SET", key, value);
  const acl = (rule: string) => () => client.call("ACL", "SETUSER", "default", rule);
  const commands = "my_domain::order:command";
  const handled = orders(postgres);
  await refuse(t, { installation, server, kind: "brokers", owner: postgres.uri(), handled }, [
    {
      what: "full",
      begin: config("maxmemory", "1"),
      end: config("maxmemory", "0"),
      reason: "OOM",
    },
    {
      what: "without the replicas that writes need",
      begin: config("min-replicas-to-write", "1"),
      end: config("min-replicas-to-write", "0"),
      reason: "NOREPLICAS",
    },
    {
      what: "a replica",
      begin: () => client.replicaof("127.0.0.1", 1),
      end: () => client.replicaof("NO", "ONE"),
      reason: "",
    },
    { what: "no right to publish", begin: acl("-xadd"), end: acl("+xadd"), reason: "lacks a permission" },
    { what: "no right to read", begin: acl("-xreadgroup"), end: acl("+xreadgroup"), reason: "xreadgroup" },
    { what: "no right to acknowledge", begin: acl("-xack"), end: acl("+xack"), reason: "xack" },
    {
      what: "no right to run scripts",
      begin: acl("-@scripting"),
      end: acl("+@scripting"),
      reason: "lacks a permission",
    },
    {
      what: "a key that holds something else",
      begin: async () => {
        await client.rename(commands, "aside");
        await client.set(commands, "not a stream");
      },
      end: () => client.rename("aside", commands),
      reason: commands,
    },
  ]);
});

function orders(postgres: PostgresServer): () => Promise<number> {
  return async () => Number((await postgres.sql("select count(*) from protean_my_domain_order"))[0]);
}

Deno.test(
  { name: "PostgreSQL that refuses the work is told within ten seconds, and that it ended", ignore },
  async (t) => {
    await using postgres = await PostgresServer.start({
      hba: [
        "local all all trust",
        "host all postgres 127.0.0.1/32 trust",
        "host all all 127.0.0.1/32 scram-sha-256",
      ],
    });
    await using redis = await RedisServer.start();
    const database = `\${DATABASE|postgresql://app:right@127.0.0.1:${postgres.port}/postgres}`;
    await using installation = await Installation.create(serversConfig({ database, redis: redis.uri }));
    const owner = postgres.uri();
    const setup = await installation.command(["db", "setup"], { env: { DATABASE: owner } });
    assertEquals(setup.code, 0, setup.err);
    await postgres.sql(
      "create role app login password 'right'",
      "grant select, insert, update, delete on all tables in schema public to app",
      "grant usage on all sequences in schema public to app",
    );
    const server = await installation.start();
    const run = (...statements: readonly string[]) => () => postgres.sql(...statements);
    const cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";
    await refuse(t, { installation, server, kind: "providers", owner, handled: orders(postgres) }, [
      {
        what: "a right revoked",
        begin: run("revoke insert on protean_my_domain_order from app"),
        end: run("grant insert on protean_my_domain_order to app"),
        reason: "permission denied",
      },
      {
        what: "a table missing",
        begin: run("alter table protean_processed rename to aside"),
        end: run("alter table aside rename to protean_processed"),
        reason: "protean_processed",
      },
      {
        what: "a password rotated",
        begin: run("alter role app password 'other'", cut),
        end: run("alter role app password 'right'"),
        reason: "password",
      },
      {
        what: "no connection left",
        begin: run("alter role app connection limit 0", cut),
        end: run("alter role app connection limit -1"),
        reason: "too many connections",
      },
    ]);
  },
);

Deno.test({
  name:
    "a stream that has used up its ids, and a key of another type, are the trouble of their own rows alone",
  ignore,
}, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const client = new Redis(redis.uri, { disableClientInfo: true });
  using _closing = { [Symbol.dispose]: () => client.disconnect() };
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const server = await installation.start();
  const [handled, owner] = [orders(postgres), postgres.uri()];
  const stage: Stage = { installation, server, kind: "brokers", owner, handled };
  const events = "my_domain::order";
  await server.until(async () => await client.exists(events) === 1, "the stream to be there");
  await client.call("XSETID", events, "18446744073709551615-18446744073709551615");
  await client.set(`${events}:dlq`, "not a stream");
  await order(stage, "first");
  await probed(server, 503);
  const { body } = await server.probe("/readyz");
  assertStringIncludes(JSON.stringify(body["reasons"]), `'${events}'`);
  // Commands have a stream of their own, which goes on meanwhile.
  await order(stage, "second");
  await server.until(async () => await handled() === 2, "the commands to be handled", HANDLED_MS);
  await server.until(
    async () => {
      const { subscriptions } = (await server.probe("/readyz")).body["checks"] as {
        readonly subscriptions: {
          readonly details: readonly { name: string; lag: number; dlq_depth: number }[];
        };
      };
      const rows = subscriptions.details.map(({ name, lag, dlq_depth }) => [name, lag, dlq_depth]);
      const commands = rows.find(([name]) => String(name).startsWith("commands:"));
      const others = rows.filter(([name]) => /Audit|Bulk|Event|Summary/.test(String(name)));
      return commands?.[2] === 0 && others.length === 4 && others.every(([, , depth]) => depth === null);
    },
    "one row to be blank where it is about the key, and no other",
    HANDLED_MS,
  );

  await client.del(events, `${events}:dlq`);
  await probed(server, 200);
  const summaries = async () =>
    Number((await postgres.sql("select count(*) from protean_my_domain_view_order_summary"))[0]);
  await server.until(async () => await summaries() === 2, "the events to be handled", HANDLED_MS);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  assertEquals(await logged(server, "outbox.abandoned"), []);
  assertEquals((await logged(server, "outbox.stream_refused")).map(({ stream }) => stream), [events]);
});

Deno.test({ name: "a cluster without slots is never ready, and says why", ignore }, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start({ args: ["--cluster-enabled", "yes"] });
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const server = await installation.launch();
  const until = performance.now() + NOTICED_MS;
  let reasons = "";
  let longest = 0;
  await server.until(async () => {
    const { status, body } = await server.probe("/readyz");
    longest = status === 200 ? longest + 1 : 0;
    reasons = JSON.stringify(body["reasons"] ?? []);
    return performance.now() > until;
  }, "readiness to have had its time");
  assertStringIncludes(reasons, "CLUSTERDOWN");
  assertEquals(longest, 0);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test({
  name: "a table of PostgreSQL that somebody keeps locked is told within ten seconds, and that it ended",
  ignore,
}, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const server = await installation.start();
  const locking = assertRejects(() => postgres.sql("begin; lock table protean_outbox; select pg_sleep(60)"));
  await probed(server, 503);
  const reasons = async () => JSON.stringify((await server.probe("/readyz")).body["reasons"]);
  await server.until(
    async () => (await reasons()).includes("wait there for a lock that session"),
    "readiness to name who holds it",
    NOTICED_MS,
  );
  await postgres.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; lock%'",
  );
  await locking;
  await probed(server, 200);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test("a SQLite file that another process keeps locked is told within ten seconds, and that it ended", async () => {
  await using installation = await Installation.create();
  const sent = await installation.command(["send", "PlaceOrder", "--data", '{"orderId":"a","amount":10}']);
  assertEquals(sent.code, 0, sent.err);
  const server = await installation.start();
  await server.quiet();
  using other = new DatabaseSync(installation.database);
  other.exec("BEGIN IMMEDIATE");
  await probed(server, 503);
  const { body } = await server.probe("/readyz");
  assertStringIncludes(JSON.stringify(body["reasons"]), "locked by another process");
  other.exec("ROLLBACK");
  await probed(server, 200);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});
