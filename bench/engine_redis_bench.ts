/**
 * PERF-1: a no-op handler behind a stream subscription on Redis against bare ioredis loops on the same
 * server, in one run. Messages are of 500 bytes with valid checksums.
 * `deno run -A bench/engine_redis_bench.ts [messages] [rounds]`
 *
 * @module
 */
import { Redis } from "ioredis";
import { z } from "zod";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { Domain, Engine, on } from "../lib/mod.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { median, print, rate, ratio } from "./report.ts";

const MESSAGES = Number(Deno.args[0] ?? 100_000);
const ROUNDS = Number(Deno.args[1] ?? 3);
const STREAM = "bench::item";
const PADDING = "x".repeat(460);

type Fields = [id: string, fields: string[]];
type Reply = [stream: string, entries: Fields[]][] | null;

await using server = await RedisServer.start();
const url = server.uri;

function eventText(n: number): string {
  const id = `i${n % 1000}`;
  const data = { id, n, text: PADDING };
  return encodeEvent({ type: "Bench.Added.v1", category: STREAM, id, n, time: Date.now(), data });
}

async function fill(redis: Redis): Promise<void> {
  await redis.flushall();
  for (let at = 0; at < MESSAGES; at += 1000) {
    const pipeline = redis.pipeline();
    for (let n = at; n < Math.min(MESSAGES, at + 1000); n++) pipeline.xadd(STREAM, "*", "data", eventText(n));
    await pipeline.exec();
  }
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

async function engine(): Promise<number> {
  const folder = await Deno.makeTempDir();
  const done = Promise.withResolvers<number>();
  let seen = 0;
  let began = 0;
  const domain = new Domain("bench");
  const schema = z.object({ id: z.string(), n: z.number(), text: z.string() });
  const Item = domain.aggregate("Item", { schema });
  const Added = domain.event("Added", { partOf: Item, schema });
  domain.eventHandler("NoOp", {
    partOf: Item,
    handles: [on(Added, () => {
      if (seen++ === 0) began = performance.now();
      if (seen === MESSAGES) done.resolve(performance.now() - began);
    })],
  });
  const stop = new AbortController();
  await domain.init({
    config: {
      databases: { default: { provider: "memory" } },
      event_store: { provider: "memory" },
      brokers: { default: { provider: "redis", URI: url } },
      caches: { default: { provider: "memory" } },
      server: { health: { enabled: false }, stream_subscription: { blocking_timeout_ms: 1000 } },
    },
  });
  const running = new Engine(domain).run({ signal: stop.signal });
  const ms = await done.promise;
  stop.abort();
  await running;
  await Deno.remove(folder, { recursive: true });
  return rate(MESSAGES, ms);
}

const figures = { serial: [] as number[], prefetched: [] as number[], ours: [] as number[] };
const redis = new Redis(url, { maxRetriesPerRequest: null });
redis.on("error", () => {});
for (let round = 0; round < ROUNDS; round++) {
  await fill(redis);
  figures.serial.push(await bareSerial(redis));
  await fill(redis);
  figures.prefetched.push(await barePrefetched(redis));
  await fill(redis);
  figures.ours.push(await engine());
}
redis.disconnect();
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
