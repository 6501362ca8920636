import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ConnectionSum } from "../../../lib/check/connections.ts";
import { checked, database, found, SERVERS } from "./support.ts";

for (const size of ["4", '"4"', "1", '"1"']) {
  Deno.test(`pool_size = ${size} is low, and its line is told (the guide; wire 7.5)`, async () => {
    const [low, ...others] = await found("LOW_POOL_SIZE", database(`pool_size = ${size}`));
    assertEquals([low?.level, low?.key, low?.file, low?.line, others.length], [
      "warning",
      "databases.default.pool_size",
      "domain.toml",
      6,
      0,
    ]);
    assertStringIncludes(low?.message ?? "", "'default'");
  });
}

for (const size of ["5", '"5"', "10"]) {
  Deno.test(`pool_size = ${size} is not low`, async () => {
    assertEquals(await found("LOW_POOL_SIZE", database(`pool_size = ${size}`)), []);
  });
}

for (const env of ["development", "testing", "Testing"]) {
  Deno.test(`a low pool is right in ${env}`, async () => {
    assertEquals(await found("LOW_POOL_SIZE", database("pool_size = 2"), { env }), []);
  });
}

for (const env of ["production", "staging", ""]) {
  Deno.test(`a low pool is told in '${env}'`, async () => {
    assertEquals((await found("LOW_POOL_SIZE", database("pool_size = 2"), { env })).length, 1);
  });
}

for (const provider of ["memory", "inline", "sqlite"]) {
  Deno.test(`${provider} has no pool that could be low`, async () => {
    const toml = `[databases.default]\nprovider = "${provider}"\npool_size = 1\n`;
    assertEquals(await found("LOW_POOL_SIZE", toml), []);
  });
}

Deno.test("a low pool of an overlay is told, and of every database", async () => {
  const toml = `${SERVERS}
[databases.reports]
provider = "postgresql"
database_uri = "postgresql://shop@reports.example/shop"
pool_size = 3
[production.databases.default]
pool_size = 1
`;
  const keys = (await found("LOW_POOL_SIZE", toml, { env: "production" })).map(({ key }) => key);
  assertEquals(keys, ["databases.default.pool_size", "databases.reports.pool_size"]);
});

async function sums(toml: string, scale: { workers: number; replicas: number }) {
  return (await checked(toml, { scale })).connections;
}

Deno.test("the guide's arithmetic: four workers of 10 + 20 are 120 connections, and PostgreSQL has 100", async () => {
  const toml = database("pool_size = 10\nmax_overflow = 20");
  const scale = { workers: 4, replicas: 1 };
  const [over] = await found("POOL_EXCEEDS_DATABASE_LIMIT", toml, { scale });
  assertStringIncludes(over?.message ?? "", "4 × (10 + 20) = 120 connections");
  assertStringIncludes(over?.message ?? "", "PostgreSQL's default max_connections of 100");
  assertStringIncludes(over?.message ?? "", "--connect");
  assertEquals(over?.level, "warning");
  assertEquals(await found("POOL_EXCEEDS_DATABASE_LIMIT", toml, { scale: { workers: 2, replicas: 1 } }), []);
});

Deno.test("replicas multiply, and what stands beside the pools is added", async () => {
  const [sum] = await sums(database("pool_size = 10\nmax_overflow = 20"), { workers: 4, replicas: 2 });
  assertStringIncludes(sum?.arithmetic ?? "", "2 × 4 × (10 + 20) = 240 connections");
  // Hints and pings, the outbox processor, locks, and asking about silent connections.
  assertStringIncludes(sum?.arithmetic ?? "", "2 × 4 × 4 = 32 beside the pool");
  assertEquals(sum?.total, 272);
});

Deno.test("every broker that the outbox publishes to has a processor with a connection", async () => {
  const toml = `${SERVERS}[brokers.partners]\nprovider = "redis"\nURI = "redis://partners.example/0"\n
[outbox]\nexternal_brokers = ["partners"]\n`;
  const [sum] = await sums(toml, { workers: 1, replicas: 1 });
  assertStringIncludes(sum?.arithmetic ?? "", "1 × 5 = 5 beside the pool");
});

Deno.test("a connection_budget is what a database is held against, for itself", async () => {
  const toml = database("pool_size = 10\nmax_overflow = 20\nconnection_budget = 30");
  const [over] = await found("POOL_EXCEEDS_DATABASE_LIMIT", toml);
  assertStringIncludes(
    over?.message ?? "",
    "34 together: more than 30 (the connection_budget of 'databases.default')",
  );
  const enough = database("pool_size = 10\nmax_overflow = 20\nconnection_budget = 34");
  assertEquals(await found("POOL_EXCEEDS_DATABASE_LIMIT", enough), []);
});

Deno.test("databases of one server share its connections", async () => {
  const second = `[databases.reports]\nprovider = "postgresql"\n`;
  const [shared] = await sums(
    `${SERVERS}${second}database_uri = "postgresql://shop@db.example/reports"\n`,
    { workers: 1, replicas: 1 },
  );
  assertEquals([shared?.sections, shared?.total], [["databases.default", "databases.reports"], 38]);
  const apart = await sums(
    `${SERVERS}${second}database_uri = "postgresql://shop@reports.example/shop"\n`,
    { workers: 1, replicas: 1 },
  );
  assertEquals(apart.filter(({ kind }) => kind === "database").length, 2);
});

Deno.test("broker and cache at one Redis share max_connections, and without --connect are held against nothing", async () => {
  const redis = async (toml: string) =>
    (await sums(toml, { workers: 2, replicas: 3 })).filter(({ kind }) => kind === "redis");
  const cache = (host: string) =>
    `${SERVERS}[caches.default]\nprovider = "redis"\nURI = "redis://${host}/1"\nmax_connections = 70\n`;
  const shown = (all: readonly ConnectionSum[]) =>
    all.map(({ sections, total, limit }) => [sections, total, limit]);
  const both = ["brokers.default", "caches.default"];
  assertEquals(shown(await redis(SERVERS)), [[both, 2 * 3 * 50, undefined]]);
  assertEquals(shown(await redis(cache("redis.example"))), [[both, 2 * 3 * 70, undefined]]);
  assertEquals(shown(await redis(cache("cache.example"))), [
    [["brokers.default"], 2 * 3 * 50, undefined],
    [["caches.default"], 2 * 3 * 70, undefined],
  ]);
});

Deno.test("embedded adapters open no connections that count", async () => {
  assertEquals(await sums("", { workers: 9, replicas: 9 }), []);
});
