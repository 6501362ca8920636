/**
 * The SQLite stream broker against bare node:sqlite on the same tables, in one run and on one disk:
 * publishing batches of 100, and reading 100 while acknowledging the 100 before. The memory broker stands by
 * for comparison. Prints ratios; the median of the rounds. `deno run -A bench/broker_bench.ts [messages]
 * [rounds] [bytes]`
 *
 * @module
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MemoryBroker } from "../lib/adapters/memory/broker.ts";
import type { BaseBroker } from "../lib/adapters/ports.ts";
import { SqliteBroker } from "../lib/adapters/sqlite/broker.ts";
import { upgradeOnce } from "../lib/adapters/sqlite/file/migrate.ts";
import { streamComponent } from "../lib/adapters/sqlite/streams/schema.ts";
import { systemClock } from "../lib/async/clock.ts";
import { print, rate, ratio } from "./report.ts";

const BATCH = 100;
const STREAM = "bench::order";

/** Messages per second of one round. */
interface Figures {
  readonly published: number;
  readonly read: number;
}

async function timed(messages: number, work: () => Promise<void> | void): Promise<number> {
  const began = performance.now();
  await work();
  return rate(messages, performance.now() - began);
}

/**
 * The same statements on the same tables, what is published synced as in the broker, and nothing around them.
 */
async function bare(path: string, messages: number, payload: string): Promise<Figures> {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL");
  upgradeOnce(db, [streamComponent]);
  db.exec(`INSERT INTO protean_stream (name) VALUES ('${STREAM}');
    INSERT INTO protean_stream_group (stream, name, passed) VALUES (1, 'g1', 0)`);
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const insert = db.prepare("INSERT INTO protean_stream_entry (stream, ms, n, data) VALUES (1, ?, ?, ?)");
  const grow = db.prepare("UPDATE protean_stream SET length = length + ?, added = added + ? WHERE id = 1");
  const select = db.prepare(`SELECT ms, n, data FROM protean_stream_entry
    WHERE stream = 1 AND (ms, n) > (?, ?) ORDER BY ms, n LIMIT ${BATCH}`);
  const pend = db.prepare("INSERT INTO protean_stream_pending VALUES (1, ?, ?, 1, ?, 1)");
  const advance = db.prepare("UPDATE protean_stream_group SET last_ms = ?, last_n = ? WHERE id = 1");
  const acknowledge = db.prepare("DELETE FROM protean_stream_pending WHERE grp = 1 AND ms = ? AND n = ?");
  db.exec("PRAGMA synchronous = FULL");
  const published = await timed(messages, () => {
    for (let sent = 0; sent < messages; sent += BATCH) {
      begin.run();
      for (let n = sent; n < sent + BATCH; n++) insert.run(1, n, payload);
      grow.run(BATCH, BATCH);
      commit.run();
    }
  });
  db.exec("PRAGMA synchronous = NORMAL");
  const read = await timed(messages, () => {
    let last = { ms: 0, n: 0 };
    for (let rows: (typeof last)[] = [];;) {
      begin.run();
      for (const { ms, n } of rows) acknowledge.run(ms, n);
      rows = select.all(last.ms, last.n) as unknown as (typeof last)[];
      const now = Date.now();
      for (const { ms, n } of rows) pend.run(ms, n, now);
      last = rows.at(-1) ?? last;
      advance.run(last.ms, last.n);
      commit.run();
      if (rows.length === 0) return;
    }
  });
  db.close();
  return { published, read };
}

async function through(broker: BaseBroker, messages: number, payload: string): Promise<Figures> {
  await broker.open();
  const group = broker.group({ stream: STREAM, group: "g1", consumer: "a" });
  await group.ensure();
  const batch = Array.from({ length: BATCH }, () => ({ stream: STREAM, data: payload }));
  const published = await timed(messages, async () => {
    for (let sent = 0; sent < messages; sent += BATCH) await broker.publish(batch);
  });
  const read = await timed(messages, async () => {
    let ack: string[] = [];
    do {
      ack = (await group.read({ count: BATCH, ack })).map(({ id }) => id);
    } while (ack.length > 0);
  });
  await broker.close();
  return { published, read };
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;
}

if (import.meta.main) {
  const [messages = 100_000, rounds = 5, bytes = 500] = Deno.args.map(Number);
  const payload = JSON.stringify({ note: "x".repeat(bytes - 11) });
  const options = { name: "default", domain: "bench", settings: {}, clock: systemClock };
  const figures: Record<"bare" | "sqlite" | "memory", Figures[]> = { bare: [], sqlite: [], memory: [] };
  for (let round = 0; round < rounds; round++) {
    const folder = await Deno.makeTempDir();
    try {
      figures.bare.push(await bare(join(folder, "bare.db"), messages, payload));
      figures.sqlite.push(await through(new SqliteBroker({ ...options, folder }), messages, payload));
      figures.memory.push(await through(new MemoryBroker({ ...options, folder }), messages, payload));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  for (const [what, of] of [["publish 100", "published"], ["read 100, acknowledge 100", "read"]] as const) {
    const reference = median(figures.bare.map((round) => round[of]));
    for (const name of ["sqlite", "memory"] as const) {
      const ours = median(figures[name].map((round) => round[of]));
      print(`${name} broker, ${what}`, ours, "bare node:sqlite", reference, ratio(ours, reference));
    }
  }
}
