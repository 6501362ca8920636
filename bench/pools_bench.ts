/**
 * Connection pools, in one run. A transaction through our pool against bare postgres.js on as many
 * connections, with one worker each; the wait for a connection while three times as many work as the pool
 * keeps open; and what 200 readers of Redis on 20 connections wait longer than on a connection each.
 * `deno run -A bench/pools_bench.ts [seconds]`
 *
 * @module
 */
import postgres from "postgres";
import { RedisBroker } from "../lib/adapters/redis/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { sql } from "../lib/testing/conformance/provider_suite_rig.ts";
import { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { PostgresServer } from "../tests/support/postgres_server.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { median, print, rate, ratio, seconds } from "./report.ts";

const SECONDS = Number(Deno.args[0] ?? 3);
const ROUNDS = 3;
const READERS = 200;
const MESSAGES = 20;

await using server = await PostgresServer.start({ settings: { max_connections: "100" } });
await server.sql("create table effects (id bigint generated always as identity, worker int)");

for (const connections of [1, 10, 30]) await transactions(connections);
await overflow();
await readers();

function providerOf(settings: Record<string, unknown>): PostgresProvider {
  return new PostgresProvider({
    ...{ name: "default", domain: "bench", folder: "/", clock: systemClock },
    settings: { database_uri: server.uri(), ...settings },
  });
}

async function transactions(connections: number): Promise<void> {
  const provider = providerOf({ pool_size: connections, max_overflow: 0 });
  const bare = postgres(server.uri(), { max: connections, onnotice: () => {} });
  const ours = (worker: number) => transaction(provider, worker);
  const theirs = async (worker: number) => {
    await bare.begin(async (tx) => {
      await tx`insert into effects (worker) values (${worker})`;
      await tx`select count(*) from effects where id = ${worker}`;
    });
  };
  const figures: [number[], number[]] = [[], []];
  await Promise.all([loop(connections, 0.5, ours), loop(connections, 0.5, theirs)]);
  for (let round = 0; round < ROUNDS; round++) {
    figures[0].push(await loop(connections, SECONDS, ours));
    figures[1].push(await loop(connections, SECONDS, theirs));
  }
  const [mine, other] = figures.map((each) => median(each));
  print(
    `transactions/s, ${connections} connections`,
    mine ?? NaN,
    "postgres.js",
    other ?? NaN,
    ratio(mine ?? NaN, other ?? NaN),
  );
  await provider.close();
  await bare.end();
}

async function transaction(provider: PostgresProvider, worker: number): Promise<void> {
  const session = provider.session();
  await session.query(sql`insert into effects (worker) values (${worker})`);
  await session.query(sql`select count(*) from effects where id = ${worker}`);
  await session.commit({ rows: [], outbox: [], events: [] });
}

/** Transactions a second of so many workers. */
async function loop(
  workers: number,
  forSeconds: number,
  work: (worker: number) => Promise<void>,
): Promise<number> {
  const began = performance.now();
  const end = began + forSeconds * 1000;
  let done = 0;
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    while (performance.now() < end) {
      await work(worker);
      done++;
    }
  }));
  return rate(done, performance.now() - began);
}

/** Bursts of 15 on a pool of 5 + 10: the time until the first statement is answered, and that of a transaction. */
async function overflow(): Promise<void> {
  for (const overflow_idle_seconds of [0, 2]) {
    const provider = providerOf({ pool_size: 5, max_overflow: 10, overflow_idle_seconds });
    const [checkouts, all]: [number[], number[]] = [[], []];
    for (let burst = 0; burst < 100; burst++) {
      await Promise.all(Array.from({ length: 15 }, async (_, worker) => {
        const began = performance.now();
        const session = provider.session();
        await session.query(sql`select 1`);
        checkouts.push(performance.now() - began);
        await session.rollback();
        const again = performance.now();
        await transaction(provider, worker);
        all.push(performance.now() - again);
      }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await provider.close();
    const figures = { p50: percentile(checkouts, 0.5), p99: percentile(checkouts, 0.99) };
    seconds(
      `checkout and first answer, bursts of 15 on 5 + 10, overflow_idle_seconds ${overflow_idle_seconds}`,
      figures,
    );
    seconds("  a transaction there", { p50: percentile(all, 0.5), p99: percentile(all, 0.99) });
  }
}

/** From an entry's publishing to its reader having it, with as many connections as readers and with 20. */
async function readers(): Promise<void> {
  await using redis = await RedisServer.start();
  for (const max_connections of [READERS + 1, 20]) {
    const broker = new RedisBroker({
      ...{ name: "default", domain: "bench", folder: "/", clock: systemClock },
      settings: { URI: redis.uri, max_connections },
    });
    const waits: number[] = [];
    const stop = new AbortController();
    const published = new Map<string, number>();
    const reading = Array.from({ length: READERS }, async (_, at) => {
      const group = broker.group({ stream: `s${at}`, group: `g${max_connections}`, consumer: "c" });
      await group.ensure();
      let ack: string[] = [];
      while (!stop.signal.aborted) {
        const entries = await group.read({ count: 10, blockMs: 5000, ack, signal: stop.signal });
        ack = entries.map(({ id }) => id);
        for (const { data = "" } of entries) {
          const at = published.get(data);
          if (at !== undefined) waits.push(performance.now() - at);
        }
      }
      await group.close();
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (let n = 0; n < MESSAGES; n++) {
      for (let at = 0; at < READERS; at += 10) {
        const data = `${max_connections}/${n}/${at}`;
        published.set(data, performance.now());
        await broker.publish([{ stream: `s${at}`, data }]);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    stop.abort();
    await Promise.all(reading);
    await broker.close();
    seconds(`publish → read, ${READERS} readers on ${max_connections} connections`, {
      p50: percentile(waits, 0.5),
      p99: percentile(waits, 0.99),
    });
  }
}

function percentile(figures: readonly number[], share: number): number {
  return figures.toSorted((a, b) =>
    a - b
  )[Math.min(figures.length - 1, Math.floor(figures.length * share))] ?? NaN;
}
