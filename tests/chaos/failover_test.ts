/**
 * A failover in which nothing dies: the old place keeps its connections, the new one comes later (fault F28).
 */
import { assert, assertEquals } from "@std/assert";
import { PostgresServer } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { readyAgain, unready } from "./audit/readiness.ts";
import { lasting, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";
import { Streams } from "./audit/streams.ts";

/** From when the new primary is where the address leads. */
const WORKING_MS = 10_000;

faultTest("F28: a demoted Redis master that keeps its sockets is left for the new one", async (chance) => {
  await using stage = await Stage.open({ chance });
  await using next = await RedisServer.start({ appendOnly: true });
  const server = await stage.serve();
  const events = Math.ceil(runSize() / 4);
  stage.produce({ events });
  await stage.settled(server); // so that Redis itself has nothing to lose
  using former = new Streams(stage.redis.port);
  using master = new Streams(next.port);
  await master.ask("REPLICAOF", "127.0.0.1", stage.redis.port);
  await server.until(
    async () => String(await master.ask("INFO", "replication")).includes("master_link_status:up"),
    "the replica to have everything",
  );
  await master.ask("REPLICAOF", "NO", "ONE");
  await former.ask("REPLICAOF", "127.0.0.1", next.port);
  stage.produce({ events: 2 * events });
  await unready(server, /replica|READONLY/i);
  await pause(lasting(6000, 1000));
  stage.redisProxy.move(next.port);
  const before = await stage.books.count();
  const took = await server.until(async () => await stage.books.count() > before, "the work to go on");
  assert(took < WORKING_MS, `went on after ${Math.round(took)} ms`);
  await readyAgain(server);
  await stage.effects(2 * events, server);
  await stage.audit({ events: 2 * events, ordered: true });
  assertEquals(await stage.givenUp(), 0);
  assertEquals(await server.end("SIGTERM"), 0);
});

faultTest("F28: PostgreSQL's standby is promoted and the address moves later", async (chance) => {
  await using stage = await Stage.open({ chance, databaseMoves: true });
  await using standby = await PostgresServer.standby(stage.postgres);
  const server = await stage.serve();
  const events = Math.ceil(runSize() / 4);
  stage.produce({ events });
  await stage.settled(server);
  // Connections of the moments between lead to a standby, as behind a name that has moved too early.
  stage.postgresProxy.move(standby.port);
  stage.postgresProxy.cut();
  await unready(server, /standby|recovery/i);
  await stage.postgres.stop("immediate");
  await standby.promote();
  await pause(lasting(6000, 1000));
  stage.produce({ events: 2 * events });
  const took = await server.until(async () => await stage.books.count() > events, "the work to go on");
  assert(took < WORKING_MS, `went on after ${Math.round(took)} ms`);
  await readyAgain(server);
  await stage.settled(server);
  await stage.audit({ events: 2 * events, ordered: true });
  assertEquals(await stage.givenUp(), 0);
  assertEquals(await server.end("SIGTERM"), 0);
});
