/**
 * PERF-5 with very many subscriptions: 500 of them in one process, each with up to 16 workers, on PostgreSQL
 * and Redis. A backlog is drained over a pool of 5 + 10; then events come one by one, and what is measured is
 * the time from the end of their commit to the start of the handlers.
 * `deno run -A --v8-flags=--heap-growing-percent=60 bench/many_subscriptions_bench.ts [subscriptions] [backlog] [events]`
 *
 * Prints the most connections that PostgreSQL had, against `max_connections`; the most memory, against 400 MB;
 * and p50 and p99 of commit → start, over all handlers and of the fastest handler of each event.
 *
 * @module
 */
import { z } from "zod";
import { runtimeOf } from "../lib/domain/runtime.ts";
import { Domain, Engine, on, SubscriptionProfile } from "../lib/mod.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { print, rate, ratio, seconds } from "./report.ts";

const SUBSCRIPTIONS = Number(Deno.args[0] ?? 500);
const BACKLOG = Number(Deno.args[1] ?? 20);
const EVENTS = Number(Deno.args[2] ?? 50);
const MAX_CONNECTIONS = 30;
const MEMORY_MB = 400;
/** Between two events, so that one does not wait behind the other. */
const APART_MS = 1000;

await using postgres = await PostgresServer.start({
  settings: { fsync: "off", max_connections: String(MAX_CONNECTIONS) },
});
await using redis = await RedisServer.start();

/** Start of the handlers, by event. */
const starts = new Map<string, number[]>();
let handled = 0;
let wanted = Infinity;
let reached = Promise.withResolvers<void>();

const domain = new Domain("bench");
const schema = z.object({ id: z.string(), n: z.number() });
const Item = domain.aggregate("Item", { schema });
const Added = domain.event("Added", { partOf: Item, schema });
const Seen = domain.projection("Seen", { schema: z.object({ id: z.string(), n: z.number() }) });
for (let number = 0; number < SUBSCRIPTIONS; number++) {
  domain.eventHandler(`Handler${number}`, {
    partOf: Item,
    subscriptionProfile: SubscriptionProfile.PRODUCTION,
    handles: [on(Added, async ({ id, n }, ctx) => {
      starts.get(id)?.push(performance.now());
      await ctx.view(Seen).put({ id: `${number}/${id}`, n });
      if (++handled >= wanted) reached.resolve();
    })],
  });
}

function count(more: number): Promise<void> {
  reached = Promise.withResolvers<void>();
  wanted = handled + more;
  return reached.promise;
}

await domain.init({
  config: {
    databases: {
      default: { provider: "postgresql", database_uri: postgres.uri(), pool_size: 5, max_overflow: 10 },
    },
    brokers: { default: { provider: "redis", URI: redis.uri } },
    caches: { default: { provider: "memory" } },
    server: { health: { enabled: false } },
  },
});
const runtime = runtimeOf(domain);
await runtime.providers.get("default")?.setup("all", runtime.tables.get("default") ?? []);
for (let n = 0; n < BACKLOG; n++) await domain.publish(Added, { id: `b${n}`, n });

let memory = 0;
let connections = 0;
const watching = setInterval(() => {
  memory = Math.max(memory, Deno.memoryUsage().rss);
}, 100);
const look = async () => {
  const query =
    "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
  connections = Math.max(connections, Number((await postgres.sql(query))[0]));
};

const stop = new AbortController();
const engine = new Engine(domain);
const began = performance.now();
const drained = count(SUBSCRIPTIONS * BACKLOG);
const running = engine.run({ signal: stop.signal });
let over = false;
void drained.then(() => over = true);
while (!over) {
  await look();
  await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 500))]);
}
// A handler that has ended may still have to commit.
const committed = () => engine.subscriptions.reduce((sum, { counters }) => sum + counters.handled, 0);
while (committed() < SUBSCRIPTIONS * BACKLOG) await new Promise((resolve) => setTimeout(resolve, 10));
const backlogMs = performance.now() - began;

const all: number[] = [];
const first: number[] = [];
for (let n = 0; n < EVENTS; n++) {
  const id = `e${n}`;
  starts.set(id, []);
  const everybody = count(SUBSCRIPTIONS);
  await domain.publish(Added, { id, n });
  const sent = performance.now();
  await everybody;
  // A handler may start before the commit's answer is back.
  const waits = (starts.get(id) ?? []).map((start) => Math.max(0, start - sent));
  all.push(...waits);
  first.push(Math.min(...waits));
  starts.delete(id);
  await look();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, APART_MS - (performance.now() - sent))));
}
const failed = engine.subscriptions.reduce((sum, { counters }) => sum + counters.failed, 0);
clearInterval(watching);
stop.abort();
await running;

const percentile = (figures: readonly number[], share: number) =>
  figures.toSorted((a, b) => a - b)[Math.min(figures.length - 1, Math.floor(figures.length * share))] ?? NaN;

const drainRate = rate(SUBSCRIPTIONS * BACKLOG, backlogMs);
print(
  `${SUBSCRIPTIONS} subscriptions, connections`,
  connections,
  "max_connections",
  MAX_CONNECTIONS,
  ratio(connections, MAX_CONNECTIONS),
);
print(
  `${SUBSCRIPTIONS} subscriptions, MB of memory`,
  memory / 1e6,
  "the limit",
  MEMORY_MB,
  memory / 1e6 / MEMORY_MB,
);
print(
  "handled with a transaction each, messages/s",
  drainRate,
  "failures",
  failed,
  failed / Math.max(1, handled),
);
seconds("commit → start of all handlers", { p50: percentile(all, 0.5), p99: percentile(all, 0.99) });
seconds("commit → first start", { p50: percentile(first, 0.5), p99: percentile(first, 0.99) });
