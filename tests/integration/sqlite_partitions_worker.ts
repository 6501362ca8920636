/**
 * A server process on SQLite files that several share, with an order across them. It commits so many numbered
 * events of each of ten keys first, and leaves one row for each event that it handles in `effects`.
 *
 * `deno run -A sqlite_partitions_worker.ts <folder> [events per key]`
 *
 * @module
 */
import { Domain, Engine, on } from "@protean/server";
import { z } from "zod";

export const KEYS = 10;
export const TABLE =
  "CREATE TABLE IF NOT EXISTS effects (seq integer PRIMARY KEY, handler text, key text, n integer)";

const [folder = "", events = "0"] = Deno.args;

export function ordered() {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const schema = z.object({ customer: z.string(), n: z.number() });
  const Numbered = domain.event("Numbered", { partOf: Order, schema });
  for (const [handler, idempotent] of [["Effects", true], ["Plain", false]] as const) {
    domain.eventHandler(handler, {
      partOf: Order,
      idempotent,
      sequentialBy: "customer",
      concurrency: 4,
      handles: [on(Numbered, async ({ customer, n }, ctx) => {
        await ctx.sql`INSERT INTO effects (handler, key, n) VALUES (${handler}, ${customer}, ${n})`;
      })],
    });
  }
  return { domain, Numbered };
}

export function config(lease = 1500) {
  return {
    databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } },
    brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` } },
    caches: { default: { provider: "memory" } },
    event_store: { provider: "memory" },
    server: {
      health: { enabled: false },
      partitioning: { lease_ttl_ms: lease, heartbeat_interval_seconds: 0.2, poll_interval_seconds: 0.02 },
    },
  };
}

if (import.meta.main) {
  const stop = new AbortController();
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  const { domain, Numbered } = ordered();
  await domain.init({ config: config() });
  await domain.unitOfWork(async (ctx) => void await ctx.sql`SELECT 1 FROM effects LIMIT 1`);
  for (let n = 1; n <= Number(events); n++) {
    await domain.unitOfWork(async (ctx) => {
      // Events of one key belong to many aggregates: their order is the key's alone.
      for (let key = 0; key < KEYS; key++) {
        await ctx.publish(Numbered, { customer: `k${key}`, n }, { id: `o-${key}-${n}` });
      }
    });
  }
  Deno.exit(await new Engine(domain).run({ signal: stop.signal }));
}
