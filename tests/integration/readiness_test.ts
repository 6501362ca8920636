/**
 * A server says truthfully whether its dependencies are there, and never ends because one is not (issue 3;
 * HLT-2, HLT-3).
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Installation, type RunningServer } from "../e2e/server.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { serversConfig } from "./shared_config.ts";

const ignore = !postgresAvailable || !redisAvailable;
/** An outage and its end are seen within this time (HLT-2). */
const NOTICED_MS = 10_000;

type Status = "ok" | "unavailable";

Deno.test({
  name: "a server started before its database and broker becomes ready by itself, and works",
  ignore,
}, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start({ appendOnly: true });
  await Promise.all([postgres.stop("fast"), redis.stop()]);
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const server = await installation.launch();
  await seen(server, { database: "unavailable", broker: "unavailable" });
  await server.until(async () => {
    const log = await server.log();
    return log.includes(`Database 'default'`) && log.includes(`Redis at ${redis.shown}`);
  }, "the log to say why");

  await postgres.restart();
  await seen(server, { database: "ok", broker: "unavailable" });
  await redis.restart();
  await seen(server, { database: "ok", broker: "ok" });

  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const sent = await installation.command([
    "send",
    "PlaceOrder",
    "--data",
    '{"orderId":"first","amount":10}',
  ]);
  assertEquals(sent.code, 0, sent.err);
  await server.until(
    async () => (await postgres.sql("select id from protean_my_domain_view_order_summary"))[0] === "first",
    "the order to be handled",
  );
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test(
  { name: "an outage is told within ten seconds, and its end, the second time as the first", ignore },
  async () => {
    await using postgres = await PostgresServer.start();
    await using redis = await RedisServer.start({ appendOnly: true });
    await using proxy = TcpProxy.start(postgres.port);
    await using installation = await Installation.create(serversConfig({
      database: `postgresql://postgres@127.0.0.1:${proxy.port}/postgres`,
      redis: redis.uri,
    }));
    const server = await installation.start();
    for (const _ of ["first", "second"]) {
      await postgres.stop("immediate");
      await seen(server, { database: "unavailable", broker: "ok" });
      await postgres.restart();
      await seen(server, { database: "ok", broker: "ok" });
      await redis.kill();
      await seen(server, { database: "ok", broker: "unavailable" });
      await redis.restart();
      await seen(server, { database: "ok", broker: "ok" });
    }
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
  },
);

Deno.test(
  { name: "a dependency that hangs is as bad as one that is gone, and slows no probe", ignore },
  async () => {
    await using postgres = await PostgresServer.start();
    await using redis = await RedisServer.start();
    await using proxy = TcpProxy.start(postgres.port);
    await using installation = await Installation.create(serversConfig({
      database: `postgresql://postgres@127.0.0.1:${proxy.port}/postgres`,
      redis: redis.uri,
    }));
    const server = await installation.start();
    proxy.blackhole();
    await seen(server, { database: "unavailable", broker: "ok" });
    redis.freeze();
    await seen(server, { database: "unavailable", broker: "unavailable" });
    const began = performance.now();
    for (let probe = 0; probe < 20; probe++) await server.probe(probe % 2 === 0 ? "/livez" : "/readyz");
    assert(performance.now() - began < 1000, "twenty probes took more than a second");
    redis.thaw();
    proxy.heal();
    await seen(server, { database: "ok", broker: "ok" });
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
  },
);

Deno.test({
  name: "with --require-dependencies a server that lacks one ends with a sentence that names it",
  ignore,
}, async () => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  for (
    const [gone, sentence] of [
      [() => redis.stop(), `broker 'default': Redis at ${redis.shown}`],
      [() => postgres.stop("fast"), "provider 'default': Database 'default'"],
    ] as const
  ) {
    await gone();
    await using installation = await Installation.create(
      serversConfig({ database: postgres.uri(), redis: redis.uri }),
    );
    const ended = await installation.command(["server", "--require-dependencies", "--log-level=fatal"]);
    assertEquals(ended.code, 2, ended.err);
    assertEquals(ended.err.trim().split("\n").length, 1, ended.err);
    assertStringIncludes(ended.err, sentence);
    assert(!ended.err.includes(".."), ended.err);
  }
});

/** Waits until the readiness probe says so of both; the process itself is alive all the while. */
async function seen(server: RunningServer, expected: { database: Status; broker: Status }): Promise<void> {
  const took = await server.until(async () => {
    const live = await server.probe("/livez");
    assertEquals(live, { status: 200, body: { status: "ok", checks: { event_loop: "responsive" } } });
    const { status, body } = await server.probe("/readyz");
    const { providers, brokers, caches } = body["checks"] as Record<
      string,
      Record<string, unknown> | undefined
    >;
    const found = {
      database: providers?.["default"],
      broker: brokers?.["default"],
      cache: caches?.["default"],
    };
    const wanted = { ...expected, cache: expected.broker };
    const ready = Object.values(wanted).every((one) => one === "ok");
    assertEquals({ ...found, status }, { ...wanted, status: ready ? 200 : 503 });
    return true;
  }, `readiness to say ${JSON.stringify(expected)}`);
  assert(took < NOTICED_MS, `it took ${Math.round(took)} ms`);
}
