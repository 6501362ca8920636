/**
 * PERF-1: a no-op handler behind a stream subscription on Redis against bare ioredis loops on the same
 * server, in one run. Messages are of 500 bytes with valid checksums.
 * `deno run -A bench/engine_redis_bench.ts [messages] [rounds]`
 *
 * @module
 */
import type { Redis } from "ioredis";
import { RedisServer } from "../tests/support/redis_server.ts";
import { NoOpEngine, STREAM } from "./no_op_engine.ts";
import { median, print, rate, ratio } from "./report.ts";

const MESSAGES = Number(Deno.args[0] ?? 100_000);
const ROUNDS = Number(Deno.args[1] ?? 3);

type Fields = [id: string, fields: string[]];
type Reply = [stream: string, entries: Fields[]][] | null;

await using server = await RedisServer.start();
const engine = new NoOpEngine(server.uri, MESSAGES);

async function fill(redis: Redis): Promise<void> {
  await engine.fill();
  await redis.xgroup("CREATE", STREAM, "bare", "0");
}

const read = (redis: Redis) =>
  redis.xreadgroup("GROUP", "bare", "me", "COUNT", 100, "BLOCK", 1000, "STREAMS", STREAM, ">") as Promise<
    Reply
  >;

/** Reads 100, parses, acknowledges in one XACK, serially. */
async function bareSerial(redis: Redis): Promise<number> {
  const began = performance.now();
  for (let seen = 0; seen < MESSAGES;) {
    const entries = (await read(redis))?.[0]?.[1] ?? [];
    for (const [, fields] of entries) JSON.parse(fields[1] ?? "null");
    await redis.xack(STREAM, "bare", ...entries.map(([id]) => id));
    seen += entries.length;
  }
  return rate(MESSAGES, performance.now() - began);
}

/** The same with the next batch fetched while this one is parsed, and the acknowledgement sent along. */
async function barePrefetched(redis: Redis): Promise<number> {
  const began = performance.now();
  let next = read(redis);
  for (let seen = 0; seen < MESSAGES;) {
    const entries = (await next)?.[0]?.[1] ?? [];
    seen += entries.length;
    if (seen < MESSAGES) next = read(redis);
    for (const [, fields] of entries) JSON.parse(fields[1] ?? "null");
    void redis.xack(STREAM, "bare", ...entries.map(([id]) => id));
  }
  await redis.ping();
  return rate(MESSAGES, performance.now() - began);
}

const figures = { serial: [] as number[], prefetched: [] as number[], ours: [] as number[] };
const { redis } = engine;
for (let round = 0; round < ROUNDS; round++) {
  await fill(redis);
  figures.serial.push(await bareSerial(redis));
  await fill(redis);
  figures.prefetched.push(await barePrefetched(redis));
  await fill(redis);
  figures.ours.push(await engine.run());
}
engine.close();
const ours = median(figures.ours);
print(
  "no-op handler on Redis, messages/s",
  ours,
  "bare serial loop",
  median(figures.serial),
  ratio(ours, median(figures.serial)),
);
print(
  "no-op handler on Redis, messages/s",
  ours,
  "bare prefetched loop",
  median(figures.prefetched),
  ratio(ours, median(figures.prefetched)),
);
