/**
 * More subscriptions, each with several workers, than there are connections (issue 11, point 3).
 */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { Domain, Engine, on, SubscriptionProfile } from "@protean/server";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const SUBSCRIPTIONS = 500;
const EVENTS = 10;
const LATE = 3;
/** Short, so that a line in which some are overtaken for long shows. */
const POOL = { pool_size: 5, max_overflow: 10, pool_timeout: 1 };

const start = sharedPostgres({ settings: { fsync: "off", max_connections: "25" } });

postgresTest("500 subscriptions drain a backlog over 15 connections, and nobody is refused one", async () => {
  const db = await start();
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string(), n: z.number() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const Seen = domain.projection("Seen", { schema: z.object({ id: z.string() }) });
  for (let number = 0; number < SUBSCRIPTIONS; number++) {
    domain.eventHandler(`Handler${number}`, {
      partOf: Order,
      subscriptionProfile: SubscriptionProfile.PRODUCTION,
      handles: [on(Placed, ({ id }, ctx) => ctx.view(Seen).put({ id: `${number}/${id}` }))],
    });
  }
  await domain.init({
    config: {
      databases: { default: { provider: "postgresql", database_uri: db.uri(), ...POOL } },
      brokers: { default: { provider: "memory" } },
      caches: { default: { provider: "memory" } },
      server: { health: { enabled: false } },
    },
  });
  await runtimeOf(domain).providers.get("default")?.setup(
    "all",
    runtimeOf(domain).tables.get("default") ?? [],
  );
  for (let n = 0; n < EVENTS; n++) await domain.publish(Placed, { id: `o${n}`, n });

  const engine = new Engine(domain);
  const stop = new AbortController();
  const running = engine.run({ signal: stop.signal });
  // What is not a subscription's has its turn while the backlog drains: it would be refused otherwise.
  for (let n = 0; n < LATE; n++) await domain.publish(Placed, { id: `late${n}`, n });
  const early = engine.subscriptions.reduce((sum, { counters }) => sum + counters.handled, 0);
  assert(early < SUBSCRIPTIONS * EVENTS, "the backlog was gone before anything else asked");
  await engine.untilQuiet();
  stop.abort();
  assertEquals(await running, 0);

  const counters = engine.subscriptions.map(({ counters }) => counters);
  assertEquals(counters.reduce((sum, { failed }) => sum + failed, 0), 0);
  for (const { handled } of counters) assertEquals(handled, EVENTS + LATE);
});
