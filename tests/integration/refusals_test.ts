/**
 * A backend that answers pings and refuses the work (D8, F31): readiness says so within ten seconds, with the
 * reason, and the work goes on by itself.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Redis } from "ioredis";
import { Installation } from "../e2e/server.ts";
import { logged } from "../e2e/tasks.ts";
import { PostgresServer } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { HANDLED_MS, ignore, NOTICED_MS, order, orders, probed, type Stage } from "./refusals_rig.ts";
import { serversConfig } from "./shared_config.ts";

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
