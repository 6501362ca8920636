/**
 * TLS on the executable, whatever runtime is compiled into it: PostgreSQL with every `sslmode`, `rediss://`,
 * and authorities that the configuration names (H4). The PostgreSQL here takes no connection without TLS.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { serversConfig } from "../../integration/shared_config.ts";
import { certify, opensslAvailable } from "../../support/certificates.ts";
import { postgresAvailable, PostgresServer } from "../../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../../support/redis_server.ts";
import { type Finished, Installation } from "../server.ts";
import { binary } from "./binary.ts";

const available = postgresAvailable && redisAvailable && opensslAvailable;
let root: string;
let postgres: PostgresServer;
let redis: RedisServer;

if (available) {
  Deno.test.beforeAll(async () => {
    root = await Deno.makeTempDir({ prefix: "protean-tls-" });
    await certify(`${root}/own`);
    await certify(`${root}/other`);
    await Deno.writeTextFile(`${root}/empty.pem`, "");
    await Deno.writeTextFile(`${root}/garbage.pem`, "hello");
    postgres = await PostgresServer.start({
      settings: { fsync: "off" },
      hba: ["hostssl all all 127.0.0.1/32 trust", "hostssl all all ::1/128 trust"],
      tls: `${root}/own`,
    });
    redis = await RedisServer.start({ tls: `${root}/own` });
  });
  Deno.test.afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    await Deno.remove(root, { recursive: true });
  });
}

interface Setting {
  readonly query?: string;
  readonly host?: string;
  /** File in `root`, for database, broker and cache. */
  readonly ca?: string;
  readonly redisCa?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function tlsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !available, fn });
}

async function install(setting: Setting): Promise<Installation> {
  const { query = "", host = "127.0.0.1", ca, redisCa = ca, env = {} } = setting;
  const named = (file: string | undefined) => file === undefined ? "" : `tls_ca_file = "${root}/${file}"`;
  const URI = `rediss://127.0.0.1:${redis.tlsPort}`;
  const config = serversConfig({
    database: postgres.uri({ query }).replace("127.0.0.1", host),
    redis: `${URI}/0`,
    databaseExtra: named(ca),
    redisExtra: named(redisCa),
  });
  const cache = `\n[caches.default]\nprovider = "redis"\nURI = "${URI}/1"\n${named(redisCa)}\n`;
  return await Installation.create(config + cache, { program: [binary()], env });
}

async function command(setting: Setting, ...args: string[]): Promise<Finished> {
  await using installation = await install(setting);
  return await installation.command(args);
}

const authority = () => `sslrootcert=${root}/own/ca.pem`;

const working: readonly (readonly [string, () => Setting])[] = [
  ["no sslmode", () => ({})],
  ["prefer", () => ({ query: "sslmode=prefer" })],
  ["require", () => ({ query: "sslmode=require" })],
  ["require with sslrootcert", () => ({ query: `sslmode=require&${authority()}` })],
  ["verify-ca with sslrootcert", () => ({ query: `sslmode=verify-ca&${authority()}` })],
  [
    "verify-ca, whatever the name",
    () => ({ query: `sslmode=verify-ca&${authority()}`, host: "localhost" }),
  ],
  ["verify-full with sslrootcert", () => ({ query: `sslmode=verify-full&${authority()}` })],
];

for (const [name, setting] of working) {
  tlsTest(`the executable sets up its tables over TLS: ${name}`, async () => {
    const { code, err } = await command({ ...setting(), redisCa: "own/ca.pem" }, "db", "setup");
    assertEquals(code, 0, err);
  });
}

tlsTest("sends and handles a command over TLS to database, broker and cache, with tls_ca_file", async () => {
  await using installation = await install({ query: "sslmode=verify-full", ca: "own/ca.pem" });
  const made = await installation.command(["db", "setup"]);
  assertEquals(made.code, 0, made.err);
  const server = await installation.start(["--require-dependencies"]);
  const order = '{"orderId":"o-1","amount":5}';
  const sent = await installation.command(["send", "PlaceOrder", "--data", order]);
  assertEquals(sent.code, 0, sent.err);
  await server.quiet();
  assertEquals(await postgres.sql("select count(*) from protean_my_domain_order"), ["1"]);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

const refused: readonly (readonly [string, () => Setting, string])[] = [
  ["an unknown authority", () => ({ query: "sslmode=verify-ca", redisCa: "own/ca.pem" }), "sslrootcert"],
  [
    "another authority",
    () => ({ query: "sslmode=verify-full", ca: "other/ca.pem" }),
    "'databases.default.tls_ca_file' does not name the authority",
  ],
  [
    "a host that is not in the certificate",
    () => ({ query: "sslmode=verify-full", host: "localhost", ca: "own/ca.pem" }),
    "write a host that its certificate names",
  ],
  [
    "an unknown authority, with NODE_TLS_REJECT_UNAUTHORIZED=0",
    () => ({ query: "sslmode=verify-full", env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } }),
    "sslrootcert",
  ],
  ["a CA file that is missing", () => ({ ca: "nowhere.pem" }), "does not exist"],
  ["a CA file that is empty", () => ({ ca: "empty.pem" }), "is empty"],
  ["a CA file that holds something else", () => ({ ca: "garbage.pem" }), "holds no certificate"],
];

for (const [name, setting, said] of refused) {
  tlsTest(`the executable refuses ${name} of PostgreSQL in one sentence, exit 2`, async () => {
    const { code, err } = await command(setting(), "db", "setup");
    assertEquals(code, 2, err);
    assertStringIncludes(err, said);
  });
}

for (const env of [{}, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }]) {
  tlsTest(
    `an unknown authority of Redis is refused and names the setting: ${JSON.stringify(env)}`,
    async () => {
      const { code, err } = await command({ env }, "server", "--require-dependencies");
      assertEquals(code, 2, err);
      assertStringIncludes(err, "'brokers.default.tls_ca_file'");
    },
  );
}

for (const [ca, said] of [["nowhere.pem", "does not exist"], ["empty.pem", "is empty"]]) {
  tlsTest(`config print tells of a CA file that ${said}, with the place of the key`, async () => {
    const { code, err } = await command({ ca: `${ca}` }, "config", "print");
    assertEquals(code, 2, err);
    for (const section of ["databases", "brokers", "caches"]) {
      assertStringIncludes(
        err,
        `The file '${root}/${ca}' that '${section}.default.tls_ca_file' names ${said}`,
      );
    }
    assertStringIncludes(err, "domain.toml:");
  });
}
