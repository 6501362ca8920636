/**
 * The whole path on the embedded default, as ratios within one run:
 *
 * - a no-op handler behind a stream subscription, against a bare loop that reads 100 and acknowledges 100 on
 *   the same kind of file;
 * - units of work through the domain, against bare transactions on the same kind of file;
 * - the time from a commit to the start of its handler.
 *
 * Run: `deno run -A bench/engine_sqlite_bench.ts [messages]`
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { Domain, Engine, on } from "../lib/mod.ts";
import { SqliteBroker } from "../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { canonicalJson } from "../lib/message/canonical.ts";
import { encodeEvent } from "../tests/support/encode_message.ts";
import { print, rate, ratio, seconds } from "./report.ts";

const MESSAGES = Number(Deno.args[0] ?? 50_000);
const PADDING = "x".repeat(300);

function fixture(handle: (n: number) => unknown) {
  const domain = new Domain("bench");
  const Item = domain.aggregate("Item", {
    schema: z.object({ id: z.string(), n: z.number(), text: z.string() }),
  });
  const Added = domain.event("Added", {
    partOf: Item,
    schema: z.object({ id: z.string(), n: z.number(), text: z.string() }),
  });
  domain.eventHandler("NoOp", { partOf: Item, handles: [on(Added, ({ n }) => handle(n))] });
  return { domain, Item, Added };
}

function eventText(n: number): string {
  const id = `i${n % 1000}`;
  const data = { id, n, text: PADDING };
  return encodeEvent({ type: "Bench.Added.v1", category: "bench::item", id, n, time: Date.now(), data });
}

async function published(folder: string): Promise<void> {
  const broker = new SqliteBroker({
    name: "default",
    domain: "bench",
    settings: { URI: "sqlite:///bench-streams.db" },
    folder,
    clock: systemClock,
  });
  await broker.open();
  const texts = Array.from({ length: MESSAGES }, (_, n) => ({ stream: "bench::item", data: eventText(n) }));
  for (let at = 0; at < texts.length; at += 500) await broker.publish(texts.slice(at, at + 500));
  await broker.close();
}

/** Messages/s of the subscription, from the first handler start to the last. */
async function subscription(folder: string): Promise<number> {
  await published(folder);
  const done = Promise.withResolvers<number>();
  let seen = 0;
  let began = 0;
  const { domain } = fixture(() => {
    if (seen++ === 0) began = performance.now();
    if (seen === MESSAGES) done.resolve(performance.now() - began);
  });
  const stop = new AbortController();
  await domain.init({ config: config(folder) });
  const running = new Engine(domain).run({ signal: stop.signal });
  const ms = await done.promise;
  stop.abort();
  await running;
  return rate(MESSAGES, ms);
}

/**
 * Messages/s of a bare loop on the same schema: read 100 beyond the cursor, parse, acknowledge the 100
 * before.
 */
async function bareLoop(folder: string): Promise<number> {
  await published(folder);
  const broker = new SqliteBroker({
    name: "default",
    domain: "bench",
    settings: { URI: "sqlite:///bench-streams.db" },
    folder,
    clock: systemClock,
  });
  await broker.open();
  const group = broker.group({ stream: "bench::item", group: "bare", consumer: "bare" });
  await group.ensure();
  let ack: string[] = [];
  let seen = 0;
  const began = performance.now();
  while (seen < MESSAGES) {
    const entries = await group.read({ count: 100, ack });
    ack = [];
    for (const entry of entries) {
      JSON.parse(entry.data ?? "null");
      ack.push(entry.id);
    }
    seen += entries.length;
  }
  await group.ack(ack);
  const ms = performance.now() - began;
  await group.close();
  await broker.close();
  return rate(MESSAGES, ms);
}

/** Units of work/s: one aggregate row, one outbox row, one event-store append. */
async function unitsOfWork(folder: string, count: number): Promise<number> {
  const { domain, Item, Added } = fixture(() => {});
  await domain.init({ config: config(folder) });
  const began = performance.now();
  for (let n = 0; n < count; n++) {
    await domain.unitOfWork(async (ctx) => {
      const item = Item.create({ id: `i${n}`, n, text: PADDING });
      item.raise(Added, { id: `i${n}`, n, text: PADDING });
      await ctx.repository(Item).add(item);
    });
  }
  const ms = performance.now() - began;
  await domain.close();
  return rate(count, ms);
}

/** Transactions/s with the same three inserts and nothing around them. */
function bareTransactions(folder: string, count: number): number {
  const database = new DatabaseSync(`${folder}/bare.db`);
  database.exec("pragma journal_mode = wal; pragma synchronous = full");
  database.exec(
    "create table a (id text primary key, v int, state text); create table o (seq integer primary key, m text, s text, d text, meta text); create table e (g integer primary key, s text, p int, d text, meta text)",
  );
  const inserts = [
    "insert into a values (?, 0, ?)",
    "insert into o (m, s, d, meta) values (?, ?, ?, ?)",
    "insert into e (s, p, d, meta) values (?, 0, ?, ?)",
  ].map((sql) => database.prepare(sql));
  const [a, o, e] = inserts;
  const data = canonicalJson({ id: "i", n: 1, text: PADDING });
  const meta = eventText(1).slice(data.length);
  const began = performance.now();
  for (let n = 0; n < count; n++) {
    database.exec("begin immediate");
    a?.run(`i${n}`, data);
    o?.run(`m${n}`, "s", data, meta);
    e?.run("s", data, meta);
    database.exec("commit");
  }
  const ms = performance.now() - began;
  database.close();
  return rate(count, ms);
}

/** Milliseconds from just before the commit to the start of the handler, at a steady 200 events/s. */
async function latency(folder: string, count: number): Promise<{ p50: number; p99: number }> {
  const sent: number[] = [];
  const took: number[] = [];
  const done = Promise.withResolvers<void>();
  const { domain, Added } = fixture((n) => {
    took.push(performance.now() - (sent[n] ?? 0));
    if (took.length === count) done.resolve();
  });
  const stop = new AbortController();
  await domain.init({ config: config(folder) });
  const running = new Engine(domain).run({ signal: stop.signal });
  for (let n = 0; n < count; n++) {
    sent[n] = performance.now();
    await domain.publish(Added, { id: `i${n}`, n, text: PADDING });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await done.promise;
  stop.abort();
  await running;
  took.sort((x, y) => x - y);
  return { p50: took[Math.floor(count * 0.5)] ?? NaN, p99: took[Math.floor(count * 0.99)] ?? NaN };
}

function config(folder: string): Record<string, unknown> {
  return {
    databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/bench.db` } },
    event_store: { provider: "sqlite", database_uri: `sqlite:///${folder}/bench.db` },
    brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/bench-streams.db` } },
    caches: { default: { provider: "sqlite", URI: `sqlite:///${folder}/bench-streams.db` } },
    server: { health: { enabled: false }, stream_subscription: { blocking_timeout_ms: 1000 } },
  };
}

async function within<T>(work: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bare = await within(bareLoop);
const ours = await within(subscription);
print("no-op handler on SQLite, messages/s", ours, "bare read-acknowledge loop", bare, ratio(ours, bare));

const units = Math.min(10_000, MESSAGES);
const transactions = await within((folder) => bareTransactions(folder, units));
const worked = await within((folder) => unitsOfWork(folder, units));
print("units of work/s on SQLite", worked, "bare transactions", transactions, ratio(worked, transactions));

const { p50, p99 } = await within((folder) => latency(folder, 1000));
seconds("commit to handler start on SQLite", { p50, p99 });
