/** `check --connect` against real servers (CFG-2, CFG-3), and what a running server tells of them. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Redis } from "ioredis";
import postgres from "postgres";
import { Installation } from "../e2e/server.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { ShopFolder } from "../unit/cli/shop.ts";
import { checked, type Surroundings } from "../unit/check/support.ts";

const databaseOf = sharedPostgres({
  settings: { max_connections: "40", superuser_reserved_connections: "3" },
});

const ONE = { workers: 1, replicas: 1 };

async function connected(toml: string, surroundings: Surroundings = {}) {
  return await checked(toml, { env: "testing", connect: true, ...surroundings });
}

/** Redis alone: the database is embedded, and is not asked. */
const onRedis = (uri: string) => `[brokers.default]\nprovider = "redis"\nURI = "${uri}"\n`;

postgresTest("the server's max_connections count, less what is reserved and what others hold", async () => {
  const database = await databaseOf();
  const reports = postgres(database.uri(), { max: 2, connection: { application_name: "reports" } });
  const own = postgres(database.uri(), {
    max: 1,
    connection: { application_name: "protean-server/shop/host-1" },
  });
  try {
    await Promise.all([reports`select pg_sleep(0.2)`, reports`select pg_sleep(0.2)`, own`select 1`]);
    const toml = `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${database.uri()}"\n`;
    const [sum] = (await connected(toml, { scale: ONE })).connections;
    assertEquals([sum?.total, sum?.limit], [19, 40 - 3 - 2]);
    assertStringIncludes(
      sum?.limitFrom ?? "",
      "max_connections of 40, less 3 reserved and 2 that others hold (reports: 2)",
    );
    const { findings } = await connected(toml, { scale: { workers: 2, replicas: 1 } });
    const [over, ...others] = findings.filter(({ level }) => level !== "info");
    assertEquals([over?.code, others.length], ["POOL_EXCEEDS_DATABASE_LIMIT", 0]);
    assertMatch(over?.message ?? "", /38 together: more than 35 \(the server's max_connections/);
  } finally {
    await Promise.all([reports.end(), own.end()]);
  }
});

postgresTest("a user without rights sees the names of others' applications all the same", async () => {
  const database = await databaseOf();
  await database.sql("create role plain login");
  const reports = postgres(database.uri(), { max: 1, connection: { application_name: "reports" } });
  try {
    await reports`select 1`;
    const toml = `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${
      database.uri({ user: "plain" })
    }"\n`;
    assertStringIncludes((await connected(toml)).connections[0]?.limitFrom ?? "", "reports: 1");
  } finally {
    await reports.end();
    await database.sql("drop role plain");
  }
});

postgresTest("what refuses says why, what is not there is unreachable, each under its own code", async () => {
  const database = await databaseOf();
  const nowhere = `postgresql://postgres@127.0.0.1:${database.server.port}/nowhere`;
  const { findings } = await connected(
    `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${nowhere}"\n` +
      onRedis("redis://127.0.0.1:1/0"),
  );
  const told = findings.filter(({ level }) => level === "error").map((
    { code, key, line },
  ) => [code, key, line]);
  assertEquals(told, [
    ["DATABASE_REFUSED", "databases.default", 3],
    ["DEPENDENCY_UNREACHABLE", "brokers.default.URI", 6],
    ["DEPENDENCY_UNREACHABLE", "caches.default.URI", undefined],
  ]);
});

redisTest("an evicting Redis, few clients and much memory are told", async () => {
  await using server = await RedisServer.start({
    args: ["--maxmemory-policy", "allkeys-lru", "--maxclients", "45"],
  });
  const codes = async (scale = ONE) =>
    (await connected(onRedis(server.uri), { scale })).findings
      .filter(({ level }) => level === "warning").map(({ code, key }) => [code, key]);
  assertEquals(await codes(), [
    ["REDIS_EVICTS", "brokers.default.URI"],
    ["REDIS_EXCEEDS_MAXCLIENTS", "brokers.default.max_connections"],
  ]);
  const client = new Redis(server.port);
  try {
    await client.config("SET", "maxmemory-policy", "noeviction");
    await client.config("SET", "maxclients", 50);
    assertEquals(await codes(), []);
    assertEquals((await codes({ workers: 2, replicas: 1 })).length, 1);
    await fill(client);
    assertEquals(await codes(), [
      ["REDIS_NEARLY_FULL", "brokers.default.URI"],
      ["REDIS_NEARLY_FULL", "caches.default.URI"],
    ]);
  } finally {
    client.disconnect();
  }
});

redisTest("a user who may not ask INFO passes, and a wrong password does not", async () => {
  await using server = await RedisServer.start({
    args: [
      "--maxmemory-policy",
      "allkeys-lru",
      "--user",
      "plain",
      "on",
      ">secret",
      "~*",
      "&*",
      "+@all",
      "-info",
    ],
  });
  const { findings } = await connected(onRedis(`redis://plain:secret@127.0.0.1:${server.port}/0`));
  assertEquals(findings.filter(({ level }) => level !== "info"), []);
  const wrong = await connected(onRedis(`redis://plain:wrong@127.0.0.1:${server.port}/0`));
  assertEquals(
    new Set(wrong.findings.filter(({ level }) => level === "error").map(({ code }) => code)),
    new Set([
      "REDIS_WRONG_PASSWORD",
    ]),
  );
});

redisTest("what servers tell is shown, and where they do not say", async () => {
  await using server = await RedisServer.start();
  await using folder = await ShopFolder.create(onRedis(server.uri));
  const { stdout } = await folder.run(["check", "--connect"]);
  assertMatch(
    stdout,
    /brokers\.default: Redis 7\S*, \d+ connections in all, maxmemory-policy noeviction, \S+ of any MiB used/,
  );
  const json = await folder.run(["check", "--connect", "--json"]);
  const [broker, ...others] = JSON.parse(json.stdout).data.servers;
  assertEquals([broker.section, broker.product, broker.eviction_policy, others.length], [
    "brokers.default",
    "Redis",
    "noeviction",
    1,
  ]);
  assertEquals("servers" in JSON.parse((await folder.run(["check", "--json"])).stdout).data, false);
});

redisTest("a Redis that does not answer holds up the check for five seconds at most", async () => {
  await using server = await RedisServer.start();
  server.freeze();
  const began = performance.now();
  const { findings } = await connected(onRedis(server.uri));
  server.thaw();
  assertEquals(findings.filter(({ level }) => level === "error").length, 2);
  assertEquals(performance.now() - began < 8_000, true);
});

redisTest("a Redis above 0.8 of its memory is told in the body of /readyz, which stays 200", async () => {
  await using server = await RedisServer.start({ args: ["--maxmemory-policy", "allkeys-lru"] });
  await using installation = await Installation.create(onRedis(server.uri));
  const client = new Redis(server.port);
  try {
    await fill(client);
    const running = await installation.start();
    await running.until(
      async () => (await running.probe("/readyz")).body["warnings"] !== undefined,
      "the warning",
    );
    const { status, body } = await running.probe("/readyz");
    const [warning] = body["warnings"] as Record<string, string>[];
    assertEquals([status, body["status"], warning?.["component"], warning?.["name"]], [
      200,
      "ok",
      "broker",
      "default",
    ]);
    assertMatch(warning?.["warning"] ?? "", /^Redis uses \d+ % of its maxmemory/);
    await client.config("SET", "maxmemory", 0);
    await running.until(
      async () => (await running.probe("/readyz")).body["warnings"] === undefined,
      "its end",
    );
    assertEquals(await running.end("SIGTERM"), 0, await running.log());
    const log = await running.log();
    assertStringIncludes(log, "health.component_warning");
    assertStringIncludes(log, "check.redis_evicts");
  } finally {
    client.disconnect();
  }
});

/** Leaves a tenth of the memory free. */
async function fill(client: Redis): Promise<void> {
  const [, used] = /used_memory:(\d+)/.exec(await client.info("memory")) ?? [];
  await client.config("SET", "maxmemory", Math.round(Number(used) / 0.88));
}

postgresTest("a program that takes its time for a password is waited for, as by a start", async () => {
  const database = await databaseOf();
  const uri = database.uri().replace(/:[^:@/]*@/, "@");
  const toml = `[databases.default]\nprovider = "postgresql"\ndatabase_uri = "${uri}"\n` +
    'password_command = ["sh", "-c", "sleep 5.5; echo secret"]\n';
  const { findings } = await connected(toml, { scale: ONE });
  assertEquals(findings.filter(({ level }) => level === "error"), []);
});
