/**
 * Nothing in the domain module changes: `domain.toml` names PostgreSQL and Redis, and the thousand sample
 * orders come out the same (issue 3).
 */
import { assert, assertEquals } from "@std/assert";
import { Installation, sampleOrders } from "../e2e/server.ts";
import { freePort } from "../support/free_port.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { askPostgres, askSqlite, type OrdersState, ordersState } from "./orders_state.ts";
import { serversConfig } from "./shared_config.ts";

const ignore = !postgresAvailable || !redisAvailable;

/**
 * Orders of the sample that are placed twice, with different amounts: the first to be handled is the one that
 * counts.
 */
const PLACED_TWICE = ["order-0203", "order-0506", "order-0809"];

Deno.test({
  name: "the sample orders give the same final state on PostgreSQL and Redis as on SQLite",
  ignore,
}, async () => {
  const [embedded, servers] = [await onSqlite(), await onServers(1)];
  assertEquals(servers, embedded);
});

Deno.test(
  { name: "two server processes share the sample orders without loss or doubled effects", ignore },
  async () => {
    const [embedded, servers] = [await onSqlite(), await onServers(2)];
    // Across processes the order of one aggregate's messages is not promised, so which of the two came first
    // is open.
    assertEquals(servers.deadLetters, embedded.deadLetters);
    assertEquals(servers.outbox, embedded.outbox);
    assertEquals(servers.events, embedded.events);
    assertEquals(withoutContested(servers), withoutContested(embedded));
    for (const id of PLACED_TWICE) {
      const states = ["order", "view_order_summary", "view_picking_list"].map((table) =>
        servers.tables[`protean_my_domain_${table}`]?.find((row) => row.id === id)?.state as {
          amount: number;
        }
      );
      assertEquals(new Set(states.map(({ amount }) => amount)).size, 1, `the views of ${id} disagree`);
    }
  },
);

let embedded: Promise<OrdersState> | undefined;

/** What the main job leaves on the embedded default; worked out once. */
function onSqlite(): Promise<OrdersState> {
  return embedded ??= (async () => {
    await using installation = await Installation.create();
    await workOff(installation, 1);
    const state = await ordersState(installation, askSqlite(installation.database));
    assertEquals(state.tables["protean_my_domain_order"]?.length, 990);
    assertEquals(state.deadLetters.length, 10);
    return state;
  })();
}

async function onServers(processes: number): Promise<OrdersState> {
  await using postgres = await PostgresServer.start({ settings: { fsync: "off" } });
  await using redis = await RedisServer.start();
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  await workOff(installation, processes);
  return await ordersState(installation, askPostgres(postgres));
}

/** Sends the sample and lets so many servers work until nothing is left to do. */
async function workOff(installation: Installation, processes: number): Promise<void> {
  const sent = await installation.command(["send", "PlaceOrder", "--file", sampleOrders]);
  assertEquals(sent.code, 0, sent.err);
  const servers = [];
  for (let started = 0; started < processes; started++) {
    servers.push(await installation.launch(["--once"], started === 0 ? installation.port : freePort()));
  }
  for (const server of servers) assertEquals((await server.child.status).code, 0, await server.log());
}

function withoutContested({ tables }: OrdersState): OrdersState["tables"] {
  const contested = (id: string) => PLACED_TWICE.some((order) => id.includes(order));
  const kept = Object.entries(tables).map(([name, rows]) =>
    [name, rows.filter(({ id }) => !contested(id))] as const
  );
  assert(kept.every(([, rows]) => rows.length > 0));
  return Object.fromEntries(kept);
}
