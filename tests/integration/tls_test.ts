/**
 * TLS to PostgreSQL and to Redis: what each `sslmode` takes and refuses, whose authorities are trusted, and
 * what the sentence of a refusal says to do (H4). The same on the executable: `tests/e2e/binary/tls_test.ts`.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { ConfigurationError, RefusedError } from "../../lib/errors.ts";
import { sql } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { certify, opensslAvailable } from "../support/certificates.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const available = postgresAvailable && redisAvailable && opensslAvailable;
let root: string;

/** PostgreSQL and Redis with one certificate. */
interface Servers {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
}

const started = new Map<string, Servers>();

/** `address`: its certificate names 127.0.0.1; `name`: localhost alone; `expired`: it ran out yesterday. */
const KINDS = { address: {}, name: { names: "DNS:localhost" }, expired: { expired: true } } as const;
type Kind = keyof typeof KINDS;

if (available) {
  Deno.test.beforeAll(async () => {
    root = await Deno.makeTempDir({ prefix: "protean-tls-" });
    await certify(`${root}/other`);
    for (const [kind, options] of Object.entries(KINDS)) {
      const tls = `${root}/${kind}`;
      await certify(tls, options);
      started.set(kind, {
        postgres: await PostgresServer.start({ settings: { fsync: "off" }, tls }),
        redis: await RedisServer.start({ tls }),
      });
    }
    for (const [file, text] of Object.entries(UNUSABLE)) await Deno.writeTextFile(`${root}/${file}`, text);
    await Deno.mkdir(`${root}/folder`);
  });
  Deno.test.afterAll(async () => {
    for (const { postgres, redis } of started.values()) {
      await postgres[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    }
    await Deno.remove(root, { recursive: true });
  });
}

/** Files that are no certificates, and what the sentence says of them. */
const UNUSABLE = {
  "empty.pem": " \n",
  "garbage.pem": "hello",
  "broken.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  "cut.pem": "-----BEGIN CERTIFICATE-----\nMIIB",
};

function tlsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !available, fn });
}

function serversOf(kind: Kind): Servers {
  const servers = started.get(kind);
  assert(servers);
  return servers;
}

interface Connected {
  readonly kind?: Kind;
  readonly host?: string;
  /** File in `root`. */
  readonly ca?: string;
}

/** Whether PostgreSQL sees TLS on a connection; rejects as opening it does. */
async function overPostgres({ kind = "address", host = "127.0.0.1", ca, query = "", cert }: Connected & {
  readonly query?: string;
  /** File in `root`, as `sslrootcert`. */
  readonly cert?: string;
}): Promise<unknown> {
  const given = [query, cert && `sslrootcert=${root}/${cert}`].filter(Boolean).join("&");
  const uri = serversOf(kind).postgres.uri({ query: given }).replace("127.0.0.1", host);
  await using provider = new TestProvider({ uri, settings: ca ? { tls_ca_file: `${root}/${ca}` } : {} });
  await provider.open();
  const session = provider.session();
  const [row] = await session.query(sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`);
  await session.rollback();
  return row?.["ssl"];
}

async function overRedis({ kind = "address", host = "127.0.0.1", ca, Adapter = RedisBroker }: Connected & {
  readonly Adapter?: typeof RedisBroker | typeof RedisCache;
}): Promise<string> {
  const URI = `rediss://${host}:${serversOf(kind).redis.tlsPort}/0`;
  const adapter = new Adapter({
    ...{ name: "default", domain: "shop", folder: "/", clock: systemClock },
    settings: { URI, ...ca && { tls_ca_file: `${root}/${ca}` } },
  });
  try {
    await adapter.open();
    await adapter.ping(AbortSignal.timeout(10_000));
    return "ok";
  } finally {
    await adapter.close();
  }
}

const OWN = "address/ca.pem";

const modes: readonly (readonly [string, Parameters<typeof overPostgres>[0], boolean | string])[] = [
  ["no sslmode", {}, true],
  ["disable", { query: "sslmode=disable" }, false],
  ["allow", { query: "sslmode=allow" }, true],
  ["prefer", { query: "sslmode=prefer" }, true],
  ["require", { query: "sslmode=require" }, true],
  ["require with the authority", { query: "sslmode=require", cert: OWN }, true],
  ["require with another authority", { query: "sslmode=require", cert: "other/ca.pem" }, "sslrootcert in"],
  ["require, whatever the name", { query: "sslmode=require", kind: "name", cert: "name/ca.pem" }, true],
  ["verify-ca", { query: "sslmode=verify-ca", cert: OWN }, true],
  ["verify-ca with tls_ca_file", { query: "sslmode=verify-ca", ca: OWN }, true],
  ["verify-ca, whatever the name", { query: "sslmode=verify-ca", kind: "name", ca: "name/ca.pem" }, true],
  ["verify-ca without an authority", { query: "sslmode=verify-ca" }, "'databases.default.tls_ca_file'"],
  [
    "verify-ca with another authority",
    { query: "sslmode=verify-ca", ca: "other/ca.pem" },
    "'databases.default.tls_ca_file' does not name the authority",
  ],
  ["verify-full by address", { query: "sslmode=verify-full", cert: OWN }, true],
  [
    "verify-full by name",
    { query: "sslmode=verify-full", kind: "name", host: "localhost", ca: "name/ca.pem" },
    true,
  ],
  [
    "verify-full by a name that is not in the certificate",
    { query: "sslmode=verify-full", host: "localhost", ca: OWN },
    "write a host that its certificate names",
  ],
  [
    "verify-full by an address that is not in the certificate",
    { query: "sslmode=verify-full", kind: "name", ca: "name/ca.pem" },
    "write a host that its certificate names",
  ],
  [
    "verify-full with a certificate that ran out",
    { query: "sslmode=verify-full", kind: "expired", ca: "expired/ca.pem" },
    "renew its certificate",
  ],
];

for (const [name, how, expected] of modes) {
  tlsTest(`sslmode means what it means to libpq: ${name}`, async () => {
    if (typeof expected !== "string") return assertEquals(await overPostgres(how), expected);
    const { message, code } = await assertRejects(() => overPostgres(how), RefusedError);
    assertStringIncludes(message, expected);
    assertEquals(code, "POSTGRES_TLS");
  });
}

const redises: readonly (readonly [string, Parameters<typeof overRedis>[0], string])[] = [
  ["the authority of tls_ca_file is trusted", { ca: OWN }, "ok"],
  ["so it is by a cache", { ca: OWN, Adapter: RedisCache }, "ok"],
  ["and by a name", { kind: "name", host: "localhost", ca: "name/ca.pem" }, "ok"],
  ["an unknown authority names the setting", {}, "authority as 'brokers.default.tls_ca_file'"],
  ["also of a cache", { Adapter: RedisCache }, "authority as 'caches.default.tls_ca_file'"],
  ["another authority is said to be one", { ca: "other/ca.pem" }, "does not name the authority"],
  ["another host is refused", { kind: "name", ca: "name/ca.pem" }, "names into 'brokers.default.URI'"],
  ["a certificate that ran out is", { kind: "expired", ca: "expired/ca.pem" }, "renew its certificate"],
];

for (const [name, how, expected] of redises) {
  tlsTest(`rediss://: ${name}`, async () => {
    if (expected === "ok") return assertEquals(await overRedis(how), "ok");
    const { message, code } = await assertRejects(() => overRedis(how), RefusedError);
    assertStringIncludes(message, expected);
    assertEquals(code, "REDIS_TLS");
  });
}

const SAID: Readonly<Record<string, string>> = {
  "nowhere.pem": "does not exist",
  "folder": "is a folder",
  "empty.pem": "is empty",
  "garbage.pem": "holds no certificate",
  "broken.pem": "holds a certificate that cannot be read",
  "cut.pem": "holds a certificate that cannot be read",
  "address/key.pem": "holds no certificate",
};

for (const [ca, said] of Object.entries(SAID)) {
  tlsTest(`a CA file that ${said} (${ca}) is refused when the adapter opens, in one sentence`, async () => {
    const attempts: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => overPostgres({ ca }), "'databases.default.tls_ca_file'"],
      [() => overPostgres({ cert: ca }), "sslrootcert in 'databases.default.database_uri'"],
      [() => overRedis({ ca }), "'brokers.default.tls_ca_file'"],
      [() => overRedis({ ca, Adapter: RedisCache }), "'caches.default.tls_ca_file'"],
    ];
    for (const [attempt, setting] of attempts) {
      const { message, code } = await assertRejects(attempt, RefusedError);
      assertStringIncludes(message, `The file '${root}/${ca}' that ${setting} names ${said}`);
      assertEquals(code, "CONFIG_TLS_FILE");
    }
  });
}

tlsTest("the key of a client's certificate is looked at before anything is connected", async () => {
  const query = `sslcert=${root}/${OWN}&sslkey=${root}/${OWN}`;
  const { message } = await assertRejects(() => overPostgres({ query }), RefusedError);
  assertStringIncludes(message, "sslkey in 'databases.default.database_uri' names holds no private key");
});

tlsTest("a CA file that has no effect, or is named twice, is refused", async () => {
  const attempts = [
    () => overPostgres({ query: "sslmode=disable", ca: OWN }),
    () => overPostgres({ query: "sslmode=verify-ca", ca: OWN, cert: OWN }),
    () => {
      const URI = serversOf("address").redis.uri;
      const options = { name: "default", domain: "shop", folder: "/", clock: systemClock };
      return new RedisBroker({ ...options, settings: { URI, tls_ca_file: `${root}/${OWN}` } }).open();
    },
  ];
  for (const attempt of attempts) {
    const { message } = await assertRejects(() => Promise.try(attempt), ConfigurationError);
    assertStringIncludes(message, "tls_ca_file'");
  }
});

tlsTest("NODE_TLS_REJECT_UNAUTHORIZED=0 switches no check off", async () => {
  const before = Deno.env.get("NODE_TLS_REJECT_UNAUTHORIZED");
  Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  try {
    const attempts = [
      () => overRedis({}),
      () => overRedis({ Adapter: RedisCache }),
      () => overRedis({ kind: "name", ca: "name/ca.pem" }),
      () => overPostgres({ query: "sslmode=verify-ca" }),
      () => overPostgres({ query: "sslmode=verify-full", kind: "name", ca: "name/ca.pem" }),
      () => overPostgres({ query: "sslmode=require", cert: "other/ca.pem" }),
    ];
    for (const attempt of attempts) await assertRejects(attempt, RefusedError);
  } finally {
    if (before === undefined) Deno.env.delete("NODE_TLS_REJECT_UNAUTHORIZED");
    else Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", before);
  }
});

tlsTest("authorities that are renewed while it runs are read for the next connection", async () => {
  const file = `${root}/renewed.pem`;
  await Deno.copyFile(`${root}/other/ca.pem`, file);
  const URI = `rediss://127.0.0.1:${serversOf("address").redis.tlsPort}/0`;
  const options = { name: "default", domain: "shop", folder: "/", clock: systemClock };
  const broker = new RedisBroker({ ...options, settings: { URI, tls_ca_file: file } });
  try {
    await broker.open();
    await assertRejects(() => broker.ping(AbortSignal.timeout(10_000)), RefusedError);
    await Deno.copyFile(`${root}/${OWN}`, file);
    await until(async () => {
      await broker.ping(AbortSignal.timeout(10_000));
      return true;
    }, "the renewed authority to be trusted");
  } finally {
    await broker.close();
  }
});
