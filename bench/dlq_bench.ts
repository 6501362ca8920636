/**
 * A dead-letter queue of a million letters, on Redis and on SQLite: what operators do with it, how long it
 * takes, how much memory it needs, and how long Redis answers nobody else meanwhile (issue 12, "Scale"). Run:
 * `deno run -A bench/dlq_bench.ts [letters] [redis|sqlite]`
 *
 * @module
 */
import { join } from "node:path";
import { Redis } from "ioredis";
import type { BaseBroker } from "../lib/adapters/ports.ts";
import { RedisBroker } from "../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { runOperation } from "../lib/dlq/bulk.ts";
import { DeadLetterQueues } from "../lib/dlq/queues.ts";
import { statsOf } from "../lib/dlq/stats.ts";
import { trimOlder } from "../lib/dlq/trimming.ts";
import type { HandlerRunner } from "../lib/domain/handler_port.ts";
import { renderDeadLetter } from "../lib/message/dead_letter.ts";
import { RedisServer } from "../tests/support/redis_server.ts";
import { median } from "./report.ts";

const ORDER = "bench::order";
const QUEUE = `${ORDER}:dlq`;
const GROUP = "bench.Mailer";
const KINDS = 60;
const HOUR_MS = 3_600_000;

const runner: HandlerRunner = {
  ...{ name: "Mailer", kind: "event_handler", group: GROUP, sharedGroup: false },
  ...{ categories: [ORDER], options: {} },
  judge: () => ({ kind: "ignored" }),
  run: () => Promise.resolve("handled"),
};

/** Letters of about 1.2 kB that failed in 60 ways. */
const texts = Array.from({ length: KINDS }, (_, kind) => {
  const error = new Error(`The carrier refused order ${kind}.`);
  error.name = `Carrier${kind % 12}Error`;
  error.stack = `${error.name}: ${error.message}\n    at Mailer.send (file:///app/mailer.ts:${kind}:7)\n` +
    "    at async runHandler (file:///app/node_modules/x/runner.ts:120:15)";
  const headers = {
    id: `bench::order-${kind}-0.1`,
    type: `Bench.Order${kind % 5}.v1`,
    stream: "bench::order-1",
  };
  const message = { data: { order_id: "ord-1", note: "x".repeat(300) }, metadata: { headers } };
  return renderDeadLetter(JSON.stringify(message), {
    ...{ originalStream: ORDER, originalId: "1-0", consumerGroup: GROUP, consumer: "c-1", handler: "Mailer" },
    ...{ retryCount: 3, failedAt: Date.now(), error },
  });
});

const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** What is measured beside the time. */
interface Watch {
  /** The longest that another connection has waited since the last call, in ms; undefined: nobody waits. */
  readonly longestWait: () => Promise<number | undefined>;
}

/** Runs it and prints a line: time, the most memory of this process, the longest wait of somebody else. */
async function timed(what: string, watch: Watch, goal: string, work: () => Promise<unknown>): Promise<void> {
  await watch.longestWait();
  let rss = Deno.memoryUsage().rss;
  const sampling = setInterval(() => rss = Math.max(rss, Deno.memoryUsage().rss), 20);
  const began = performance.now();
  const result = await work();
  const ms = performance.now() - began;
  clearInterval(sampling);
  const wait = await watch.longestWait();
  const others = wait === undefined ? "" : `, others waited ${wait.toFixed(1)} ms at most`;
  const said = typeof result === "number" || typeof result === "string" ? ` (${result})` : "";
  write(
    `${what}${said}: ${ms.toFixed(1)} ms, RSS ${Math.round(rss / 1e6)} MB${others}${goal && ` [${goal}]`}`,
  );
}

/** The median of five. */
async function each(work: () => Promise<unknown>): Promise<string> {
  const figures: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await work();
    figures.push(performance.now() - began);
  }
  return `median of five ${median(figures).toFixed(1)} ms`;
}

async function measure(
  broker: BaseBroker,
  { letters, replayed }: { readonly letters: number; readonly replayed: number },
  watch: Watch,
): Promise<void> {
  const { deadLetters } = broker;
  const queues = new DeadLetterQueues(broker, [runner]);
  const [place] = queues.places({});
  if (!place) throw new Error("There is no queue.");
  const options = { filter: {}, runners: queues.runners, maxEntryBytes: queues.largest };
  await timed("stats while nobody has counted", watch, "100 ms", async () => {
    const { depth, counted } = await statsOf(place, options);
    return `${counted} of ${depth} counted`;
  });
  await timed(
    "counting the rest",
    watch,
    "others 50 ms",
    () => deadLetters.failures?.countOn(QUEUE, letters) ?? Promise.resolve(0),
  );
  await timed("stats", watch, "100 ms", () => each(() => statsOf(place, options)));
  await timed("list --limit 100", watch, "200 ms", () => each(() => queues.list({ limit: 100 })));
  await timed(
    "trim of half",
    watch,
    "others 50 ms, RSS 200 MB",
    async () =>
      await trimOlder(deadLetters, QUEUE, await broker.time() - 100 * HOUR_MS, new AbortController().signal),
  );
  const limit = Math.min(replayed, letters / 4);
  await timed(
    "replay-all",
    watch,
    "others 50 ms, RSS 200 MB",
    async () => (await runOperation(queues, "replay", {}, { limit }, systemClock)).done,
  );
  const some = { error: "Carrier3Error" };
  await timed(
    "discard of one kind",
    watch,
    "others 50 ms, RSS 200 MB",
    async () => (await runOperation(queues, "discard", some, {}, systemClock)).done,
  );
  const filter = { error: "Carrier5Error" };
  await timed(
    "purge of one kind",
    watch,
    "others 50 ms, RSS 200 MB",
    async () => (await runOperation(queues, "purge", filter, {}, systemClock)).done,
  );
  await timed(
    "purge of all",
    watch,
    "others 50 ms, RSS 200 MB",
    async () => (await runOperation(queues, "purge", {}, {}, systemClock)).done,
  );
}

async function onRedis(letters: number): Promise<void> {
  await using server = await RedisServer.start();
  const bare = new Redis(server.port);
  const settings = { URI: server.uri };
  const broker = new RedisBroker({
    ...{ name: "default", domain: "bench", settings, folder: Deno.cwd(), clock: systemClock },
  });
  const worker = new Worker(new URL("./ping_worker.ts", import.meta.url), { type: "module" });
  worker.postMessage(server.port);
  const longestWait = () =>
    new Promise<number>((resolve) => {
      worker.addEventListener("message", ({ data }) => resolve(Number(data)), { once: true });
      worker.postMessage("longest");
    });
  await broker.open();
  try {
    write(`\nRedis, ${letters} letters`);
    const [now, old] = [Date.now(), Date.now() - 200 * HOUR_MS];
    for (let n = 0; n < letters;) {
      const pipeline = bare.pipeline();
      for (const end = Math.min(n + 500, letters); n < end; n++) {
        pipeline.xadd(QUEUE, `${n < letters / 2 ? old : now}-${n + 1}`, "data", texts[n % KINDS] ?? "");
      }
      await pipeline.exec();
    }
    await bare.config("SET", "slowlog-log-slower-than", "10000");
    await bare.slowlog("RESET");
    const cpu = await cpuSeconds(bare);
    await measure(broker, { letters, replayed: 100_000 }, { longestWait });
    write(`CPU of Redis: ${(await cpuSeconds(bare) - cpu).toFixed(1)} s in all`);
    await deadLettering(broker);
    const slow = await bare.slowlog("GET", 1_000) as unknown as readonly (readonly unknown[])[];
    const longest = Math.max(0, ...slow.map(([, , us]) => Number(us))) / 1000;
    write(`SLOWLOG: ${slow.length} commands above 10 ms, the longest ${longest.toFixed(1)} ms [50 ms]`);
  } finally {
    worker.terminate();
    await broker.close();
    bare.disconnect();
  }
}

async function cpuSeconds(bare: Redis): Promise<number> {
  const found = [...(await bare.info("cpu")).matchAll(/used_cpu_\w+_main_thread:([\d.]+)/g)];
  return found.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

/** What counting costs where it is done: an entry read and dead-lettered, one after the other. */
async function deadLettering(broker: BaseBroker): Promise<void> {
  const group = broker.group({ stream: ORDER, group: GROUP, consumer: "c-1" });
  await group.ensure();
  const count = 10_000;
  await broker.publish(Array.from({ length: count }, () => ({ stream: ORDER, data: "{}" })));
  const entries = await group.read({ count });
  const began = performance.now();
  for (const [at, { id }] of entries.entries()) await group.deadLetter(id, QUEUE, texts[at % KINDS] ?? "");
  const each = (performance.now() - began) / entries.length;
  write(`dead-lettering, one at a time: ${(each * 1000).toFixed(0)} µs`);
  await group.close();
}

async function onSqlite(letters: number): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "protean-dlq-bench-" });
  const settings = { URI: `sqlite:///${join(folder, "streams.db")}` };
  let offset = -200 * HOUR_MS;
  const clock = { ...systemClock, now: () => Date.now() + offset };
  const broker = new SqliteBroker({ name: "default", domain: "bench", settings, folder, clock });
  await broker.open();
  try {
    write(`\nSQLite, ${letters} letters`);
    for (let n = 0; n < letters; n += 500) {
      if (n >= letters / 2) offset = 0;
      const step = Array.from(
        { length: 500 },
        (_, at) => ({ stream: QUEUE, data: texts[at % KINDS] ?? "" }),
      );
      await broker.publish(step);
    }
    // Those who wait are other work of this process.
    let [longest, since] = [0, performance.now()];
    const ticking = setInterval(() => {
      const now = performance.now();
      [longest, since] = [Math.max(longest, now - since), now];
    }, 1);
    const longestWait = () => {
      const found = longest;
      longest = 0;
      return Promise.resolve(found);
    };
    // Each is on the disk before the next: a tenth of what Redis does.
    await measure(broker, { letters, replayed: 10_000 }, { longestWait });
    clearInterval(ticking);
    await deadLettering(broker);
  } finally {
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [letters = "1000000", only] = Deno.args;
  if (only !== "sqlite") await onRedis(Number(letters));
  if (only !== "redis") await onSqlite(Number(letters));
}
