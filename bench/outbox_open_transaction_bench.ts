/**
 * The outbox beside a transaction that stays open (F32), on a PostgreSQL and a Redis of its own: rows per
 * second over the last quarter of the rows against the first, and from commit to published before the first
 * and behind the last. `deno run -A bench/outbox_open_transaction_bench.ts [rows] [rounds]`
 *
 * @module
 */
import postgres from "postgres";
import { type OutboxInsert, shardOf } from "../lib/adapters/ports.ts";
import { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { RedisBroker } from "../lib/adapters/redis/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { OutboxProcessor } from "../lib/outbox/processor.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { median, print, rate, ratio } from "./report.ts";

const ROWS = Number(Deno.args[0] ?? 60_000);
const ROUNDS = Number(Deno.args[1] ?? 3);
const QUARTERS = 4;
const LONE = 200;
const IN_ONE_COMMIT = 100;
const STREAMS = 1000;

const adapter = (settings: Record<string, unknown>) => ({
  name: "default",
  domain: "bench",
  folder: Deno.cwd(),
  clock: systemClock,
  settings,
});

let made = 0;
function row(): OutboxInsert {
  const n = made++;
  const stream = `bench::item-i${n % STREAMS}`;
  return {
    messageId: `${stream}-${n}`,
    streamName: stream,
    type: "Bench.Added.v1",
    data: JSON.stringify({ id: `i${n % STREAMS}`, n, text: "x".repeat(440) }),
    metadata: "{}",
    correlationId: null,
    causationId: null,
    targetBroker: "default",
    priority: 0,
    shard: shardOf(stream),
  };
}

interface Figures {
  readonly rates: readonly number[];
  /** Milliseconds. */
  readonly lone: readonly number[];
}

async function round(): Promise<Figures> {
  await using database = await PostgresServer.start({ settings: { fsync: "off" } });
  await using cache = await RedisServer.start();
  const provider = new PostgresProvider(adapter({ database_uri: database.uri() }));
  await provider.setup("own", []);
  const broker = new RedisBroker(adapter({ URI: cache.uri }));
  await broker.open();
  const waiting = new Map<number, () => void>();
  let published = 0;
  const processor = new OutboxProcessor({
    provider,
    broker,
    owner: "bench",
    clock: systemClock,
    settings: {
      messagesPerTick: 100,
      maxTickIntervalSeconds: 1,
      retry: {
        max_attempts: 3,
        base_delay_seconds: 1,
        max_backoff_seconds: 60,
        backoff_multiplier: 2,
        jitter: true,
        jitter_factor: 0.25,
      },
    },
    observer: {
      happened: (event, count) => {
        if (event !== "published") return;
        published += count;
        for (const [at, resolve] of waiting) if (published >= at) resolve();
      },
    },
  });
  let committed = 0;
  const commit = (count: number) => {
    committed += count;
    return provider.session().commit({ rows: [], outbox: Array.from({ length: count }, row), events: [] });
  };
  const all = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(committed, resolve);
    if (published >= committed) resolve();
    return promise;
  };
  const lone = async () => {
    const figures: number[] = [];
    for (let n = 0; n < LONE; n++) {
      const began = performance.now();
      await commit(1);
      await all();
      figures.push(performance.now() - began);
    }
    return median(figures);
  };
  const open = postgres(database.uri(), { max: 1, onnotice: () => {} });
  await open`begin isolation level repeatable read`;
  await open`select count(*) from protean_outbox`;
  await processor.start();
  const rates: number[] = [];
  const before = await lone();
  for (let quarter = 0; quarter < QUARTERS; quarter++) {
    const began = performance.now();
    const rows = ROWS / QUARTERS;
    for (let n = 0; n < rows; n += IN_ONE_COMMIT) await commit(IN_ONE_COMMIT);
    await all();
    rates.push(rate(rows, performance.now() - began));
  }
  const behind = await lone();
  await processor.stop();
  await open.end();
  await broker.close();
  await provider.close();
  return { rates, lone: [before, behind] };
}

const figures: Figures[] = [];
for (let n = 0; n < ROUNDS; n++) figures.push(await round());
const rateOf = (at: number) => median(figures.map(({ rates }) => rates.at(at) ?? NaN));
const loneOf = (at: number) => median(figures.map(({ lone }) => lone.at(at) ?? NaN));
print(
  "rows/s beside an open transaction, the last quarter",
  rateOf(-1),
  "the first",
  rateOf(0),
  ratio(rateOf(-1), rateOf(0)),
);
print(
  "microseconds from commit to published before",
  loneOf(0) * 1000,
  "behind",
  loneOf(-1) * 1000,
  ratio(loneOf(0), loneOf(-1)),
);
