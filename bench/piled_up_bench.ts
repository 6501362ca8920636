/**
 * PERF-8, in one run on servers of their own: does anything get slower with what has piled up? Messages handled
 * a second (a row of a view and a mark), and outbox rows published a second, with nothing behind and with a
 * million marks, published rows and retained stream entries behind. At least 0.8 is wanted.
 * `deno run -A bench/piled_up_bench.ts [behind] [measured] [rounds]`
 *
 * @module
 */
import { Redis } from "ioredis";
import { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { adapter, publishing, row } from "./outbox_rows.ts";
import { median, print, rate, ratio } from "./report.ts";
import type { Measured, Run } from "./throughput_child.ts";

const BEHIND = Number(Deno.args[0] ?? 1_000_000);
const MEASURED = Number(Deno.args[1] ?? 30_000);
const ROUNDS = Number(Deno.args[2] ?? 3);
const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const CATEGORY = "bench::item";
const TEXT = "x".repeat(200);

await using database = await PostgresServer.start({ settings: { max_connections: "100" } });
await using server = await RedisServer.start();
const redis = new Redis(server.uri);

async function publish(count: number, from: number): Promise<void> {
  for (let at = 0; at < count; at += 1000) {
    const pipeline = redis.pipeline();
    for (let n = from + at; n < from + Math.min(count, at + 1000); n++) {
      const id = `i${n % 10_000}`;
      const data = { id, n, text: TEXT };
      const event = { type: "Bench.Added.v1", category: CATEGORY, id, n, time: Date.now(), data };
      pipeline.xadd(CATEGORY, "*", "data", encodeEvent(event));
    }
    await pipeline.exec();
  }
}

let published = 0;

/** Messages handled a second. */
async function handled(): Promise<number> {
  await publish(MEASURED, published);
  published += MEASURED;
  const where = { root: ROOT, settings: {}, database: database.uri(), redis: server.uri };
  const run: Run = { ...where, messages: MEASURED, concurrency: 64 };
  const child = new URL("throughput_child.ts", import.meta.url).pathname;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", `${ROOT}/deno.json`, child, JSON.stringify(run)],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("A run has failed.");
  return (JSON.parse(new TextDecoder().decode(stdout)) as Measured).rate;
}

/** Outbox rows published a second. */
async function outboxed(provider: PostgresProvider, from: number): Promise<number> {
  for (let at = 0; at < MEASURED; at += 1000) {
    const outbox = Array.from({ length: Math.min(1000, MEASURED - at) }, (_, n) => row(from + at + n));
    await provider.session().commit({ rows: [], outbox, events: [] });
  }
  return rate(MEASURED, await publishing(provider, server.uri));
}

/** A copy of one row, a million times, with other keys. */
async function pile(table: string, keys: Readonly<Record<string, string>>): Promise<void> {
  const columns = (await database.sql(
    `select string_agg(quote_ident(column_name), ',') from information_schema.columns
      where table_name = '${table}' and column_name not in ('seq', 'id')`,
  ))[0]?.split(",") ?? [];
  const values = columns.map((column) => keys[column] ?? `one.${column}`);
  await database.sql(
    `insert into ${table} (${columns.join(",")}) select ${values.join(",")}
      from (select * from ${table} limit 1) one, generate_series(1, ${BEHIND}) g`,
    `vacuum analyze ${table}`,
  );
}

const times = async (measure: () => Promise<number>) => {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) rates.push(await measure());
  return median(rates);
};

const provider = new PostgresProvider(adapter({ database_uri: database.uri() }));
await provider.open();
await provider.setup("own", []);
let sent = 0;
const outbox = () => outboxed(provider, sent += MEASURED);
const outboxBefore = await times(outbox);
await pile("protean_outbox", { message_id: "'m' || g" });
const outboxAfter = await times(outbox);
await provider.close();
await redis.flushall();
await database.sql("drop schema public cascade", "create schema public");
const handledBefore = await times(handled);
await pile("protean_processed", { message_id: "'m' || g" });
await publish(BEHIND, published);
published += BEHIND;
// They were handled: the groups are behind them.
for (const group of await redis.xinfo("GROUPS", CATEGORY) as string[][]) {
  await redis.xgroup("SETID", CATEGORY, group[1] ?? "", "$");
}
const handledAfter = await times(handled);

const what = BEHIND.toLocaleString("en");
print(
  "outbox rows/s with published rows behind",
  outboxAfter,
  `without those ${what}`,
  outboxBefore,
  ratio(outboxAfter, outboxBefore),
);
print(
  "messages/s with marks and stream entries behind",
  handledAfter,
  `without those ${what}`,
  handledBefore,
  ratio(handledAfter, handledBefore),
);
redis.disconnect();
