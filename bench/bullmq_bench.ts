/**
 * PERF-1 against BullMQ from npm: a no-op handler behind a stream subscription, and a BullMQ worker with a no-op
 * processor at several concurrencies, on the same Redis and with the same 500-byte payload, in one run.
 * `deno run -A bench/bullmq_bench.ts [messages] [rounds]`
 *
 * @module
 */
import { Queue, Worker } from "npm:bullmq@^5.0.0";
import { RedisServer } from "../tests/support/redis_server.ts";
import { NoOpEngine } from "./no_op_engine.ts";
import { median, print, rate, ratio } from "./report.ts";

const MESSAGES = Number(Deno.args[0] ?? 20_000);
const ROUNDS = Number(Deno.args[1] ?? 3);
const CONCURRENCIES = [1, 16, 64, 256];

await using server = await RedisServer.start();
const { hostname: host, port } = new URL(server.uri);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const ours = new NoOpEngine(server.uri, MESSAGES);

/** Jobs that are there already, worked off by one worker. */
async function bullmq(concurrency: number): Promise<number> {
  await ours.flush();
  const queue = new Queue("bench", { connection });
  for (let at = 0; at < MESSAGES; at += 1000) {
    const count = Math.min(1000, MESSAGES - at);
    await queue.addBulk(
      Array.from({ length: count }, (_, n) => ({
        name: "added",
        data: JSON.parse(ours.text(at + n)),
        opts: { removeOnComplete: true },
      })),
    );
  }
  const done = Promise.withResolvers<void>();
  let seen = 0;
  let began = 0;
  const worker = new Worker("bench", () => {
    if (seen === 0) began = performance.now();
    if (++seen === MESSAGES) done.resolve();
    return Promise.resolve();
  }, { connection, concurrency });
  await done.promise;
  const ms = performance.now() - began;
  await worker.close();
  await queue.close();
  return rate(MESSAGES, ms);
}

const engine: number[] = [];
const theirs = new Map<number, number[]>(CONCURRENCIES.map((concurrency) => [concurrency, []]));
for (let round = 0; round < ROUNDS; round++) {
  await ours.fill();
  engine.push(await ours.run());
  for (const concurrency of CONCURRENCIES) theirs.get(concurrency)?.push(await bullmq(concurrency));
}
ours.close();
for (const [concurrency, rates] of theirs) {
  print(
    "no-op handler on Redis, messages/s",
    median(engine),
    `BullMQ, concurrency ${concurrency}`,
    median(rates),
    ratio(median(engine), median(rates)),
  );
}
