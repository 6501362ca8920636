/**
 * The executable on a real Redis and a real PostgreSQL: its configuration beside it or named, alone and in
 * twos, with TLS.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { serversConfig } from "../../integration/shared_config.ts";
import { certify, opensslAvailable } from "../../support/certificates.ts";
import { freePort } from "../../support/free_port.ts";
import { postgresAvailable, type PostgresDatabase, sharedPostgres } from "../../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import { Installation, type InstallationOptions } from "../server.ts";
import { binary } from "./binary.ts";

const PLACED = 40;
/** Orders above the credit limit. */
const HOPELESS = 2;
const orders = Array.from({ length: PLACED + HOPELESS }, (_, index) => ({
  orderId: `o-${index}`,
  amount: index < PLACED ? 10 : 50_000,
}));

const available = postgresAvailable && redisAvailable;
const database = sharedPostgres();

/** An installation on a Redis and a database of its own, set up. */
interface Stage {
  readonly installation: Installation;
  readonly database: PostgresDatabase;
}

function serversTest(
  name: string,
  work: (stage: Stage) => Promise<void>,
  options: InstallationOptions & { readonly beside?: boolean } = {},
): void {
  Deno.test({
    name,
    ignore: !available,
    fn: async () => {
      await using redis = await RedisServer.start();
      const own = await database();
      const config = serversConfig({ database: own.uri(), redis: redis.uri });
      const folder = await Deno.makeTempDir({ prefix: "protean-beside-" });
      try {
        if (options.beside) await Deno.copyFile(binary(), `${folder}/protean-server`);
        const program = [options.beside ? `${folder}/protean-server` : binary()];
        await Deno.writeTextFile(
          `${folder}/domain.toml`,
          `[server.health]\nport = "\${HEALTH_PORT|8080}"\n${config}`,
        );
        await using installation = await Installation.create(config, {
          ...options,
          program,
          embedded: options.beside ?? false,
        });
        const made = await installation.command(["db", "setup"]);
        assertEquals(made.code, 0, made.err);
        await work({ installation, database: own });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

async function letters(installation: Installation): Promise<{ dlq_id: string; replay_count: number }[]> {
  const listed = await installation.command(["dlq", "list", "--json"]);
  assertEquals(listed.code, 0, listed.err);
  return JSON.parse(listed.out).data.messages;
}

async function count(database: PostgresDatabase, what: string): Promise<number> {
  return Number((await database.sql(`select count(*) from ${what}`))[0]);
}

for (const beside of [true, false]) {
  serversTest(
    `with a domain.toml ${
      beside ? "beside it" : "that --config names"
    }: set up, send, handle, dead-letter, replay, SIGTERM exit 0`,
    async ({ installation, database }) => {
      const server = await installation.start();
      const input = orders.map((order) => JSON.stringify(order)).join("\n");
      const sent = await installation.command(["send", "PlaceOrder", "-"], { input });
      assertEquals(sent.code, 0, sent.err);
      await server.quiet();
      assertEquals(await count(database, "protean_my_domain_order"), PLACED);
      assertEquals(await count(database, "protean_my_domain_view_order_summary"), PLACED);
      assertEquals(await count(database, "protean_outbox where status <> 'published'"), 0);
      const dead = await letters(installation);
      assertEquals(dead.length, HOPELESS);

      const replayed = await installation.command(["dlq", "replay", dead[0]?.dlq_id ?? ""]);
      assertEquals(replayed.code, 0, replayed.err);
      const counts = async () => (await letters(installation)).map(({ replay_count }) => replay_count ?? 0);
      await until(async () => (await counts()).includes(1), "the replayed order to fail once more", {
        every: 200,
      });
      assertEquals((await counts()).toSorted(), [...Array(HOPELESS - 1).fill(0), 1]);
      assertEquals(await server.end("SIGTERM"), 0, await server.log());
    },
    { beside },
  );
}

serversTest("two processes share the work of a domain on disk, and stop with exit 0", async (stage) => {
  const { installation } = stage;
  const servers = [await installation.start(), await installation.start([], freePort())];
  const ids = Array.from({ length: 300 }, (_, index) => `j${index}`);
  const input = ids.map((id) => JSON.stringify({ id })).join("\n");
  const sent = await installation.command(["send", "JobGiven", "-"], { input });
  assertEquals(sent.code, 0, sent.err);
  for (const server of servers) await server.quiet();
  for (const server of servers) assertEquals(await server.end("SIGTERM"), 0, await server.log());
  const lines = (await Deno.readTextFile(`${installation.folder}/pids.log`)).trim().split("\n");
  const handled = lines.map((line) => line.split(" "));
  assertEquals(handled.map(([, id]) => id).sort(), ids.toSorted());
  const busy = new Set(handled.map(([pid]) => Number(pid)));
  assertEquals(busy, new Set(servers.map(({ child }) => child.pid)), "one of the two was idle");
}, { domain: new URL("../domains/pids.js", import.meta.url).pathname });

Deno.test({
  name:
    "rediss:// works with a private authority in DENO_CERT; without it the sentence says what is not trusted",
  ignore: !available || !opensslAvailable,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "protean-tls-" });
    try {
      await certify(folder);
      await using redis = await RedisServer.start({ tls: folder });
      const own = await database();
      const config = serversConfig({
        database: own.uri(),
        redis: `rediss://127.0.0.1:${redis.tlsPort}/0`,
      });
      const trusting = { program: [binary()], env: { DENO_CERT: `${folder}/ca.pem` } };
      await using installation = await Installation.create(config, trusting);
      const made = await installation.command(["db", "setup"]);
      assertEquals(made.code, 0, made.err);
      const server = await installation.start();
      const order = '{"orderId":"o-1","amount":5}';
      const sent = await installation.command(["send", "PlaceOrder", "--data", order]);
      assertEquals(sent.code, 0, sent.err);
      await server.quiet();
      assertEquals(await count(own, "protean_my_domain_order"), 1);
      assertEquals(await server.end("SIGTERM"), 0, await server.log());

      await using distrustful = await Installation.create(config, { program: [binary()] });
      const refused = await distrustful.command(["server", "--require-dependencies"]);
      assertEquals(refused.code, 2, refused.err);
      assertStringIncludes(refused.err, "certificate");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a Redis behind a Unix socket carries commands, and its messages to a server that handles them",
  ignore: !available,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "protean-socket-" });
    try {
      await using _redis = await RedisServer.start({ args: ["--unixsocket", `${folder}/redis.sock`] });
      const own = await database();
      const config = serversConfig({ database: own.uri(), redis: `unix://${folder}/redis.sock?db=2` });
      await using installation = await Installation.create(config, { program: [binary()] });
      const made = await installation.command(["db", "setup"]);
      assertEquals(made.code, 0, made.err);
      const server = await installation.start();
      const sent = await installation.command(
        ["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":5}'],
      );
      assertEquals(sent.code, 0, sent.err);
      await server.quiet();
      assertEquals(await count(own, "protean_my_domain_order"), 1);
      assertEquals(await server.end("SIGTERM"), 0, await server.log());
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
