/**
 * The SQLite provider against bare node:sqlite, in one run and on one disk: units of work (aggregate row,
 * outbox row and mark in one commit), and the outbox from lease to mark. Prints ratios; the median of the
 * rounds. `deno run -A bench/sqlite_bench.ts [units] [rounds]`
 *
 * @module
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type OutboxInsert, shardOf, type WriteSet } from "../lib/adapters/ports.ts";
import { SqliteProvider } from "../lib/adapters/sqlite/provider.ts";
import { upgradeOnce } from "../lib/adapters/sqlite/file/migrate.ts";
import { ownComponents, rowComponent } from "../lib/adapters/sqlite/tables/migrations.ts";
import { systemClock } from "../lib/async/clock.ts";
import { metadataOf } from "../lib/testing/conformance/provider_suite_rig.ts";
import { print, rate, ratio } from "./report.ts";

const TABLE = "protean_bench_order";
const BATCH = 100;
/** A payload of 500 bytes. */
const PAYLOAD = JSON.stringify({ note: "x".repeat(489) });

/** One competitor: answers how long it took for so many units, in ms. */
type Lane = (folder: string, units: number) => Promise<number>;

const lanes: Readonly<Record<string, Lane>> = {
  "bare insert of 500 bytes": (folder, units) =>
    bare(folder, units, (db) => {
      const insert = db.prepare("INSERT INTO plain (text) VALUES (?)");
      return () => insert.run(PAYLOAD);
    }),
  "bare transaction of the same statements": (folder, units) => bare(folder, units, bareUnit),
  "units of work one by one": (folder, units) =>
    withProvider(folder, (provider) =>
      timed(async () => {
        for (let unit = 0; unit < units; unit++) await unitOfWork(provider, unit);
      })),
  "units of work, 16 at once": (folder, units) =>
    withProvider(folder, (provider) =>
      timed(async () => {
        let next = 0;
        const worker = async () => {
          while (next < units) await unitOfWork(provider, next++);
        };
        await Promise.all(Array.from({ length: 16 }, worker));
      })),
  "bare claim and mark": (folder, units) => bareOutbox(folder, units),
  "claim, settle under one lease": (folder, units) =>
    withProvider(folder, async (provider) => {
      await fill(provider, units);
      return await timed(async () => {
        const lease = await provider.outbox.lease({ broker: "default", owner: "bench" });
        for (
          let rows = await lease?.claim(BATCH) ?? [];
          rows.length > 0;
          rows = await lease?.claim(BATCH) ?? []
        ) {
          await lease?.settle(rows.map(({ id }) => ({ id, status: "published" })));
        }
        await lease?.release();
      });
    }),
};

if (import.meta.main) {
  const [units = 5000, rounds = 5] = Deno.args.map(Number);
  const rates = new Map<string, number[]>(Object.keys(lanes).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, lane] of Object.entries(lanes)) {
      const folder = await Deno.makeTempDir();
      rates.get(name)?.push(rate(units, await lane(folder, units)));
      await Deno.remove(folder, { recursive: true });
    }
  }
  const median = (name: string) => rates.get(name)?.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? NaN;
  const compare = (reference: string, ...names: string[]) => {
    for (const name of names) {
      print(name, median(name), reference, median(reference), ratio(median(name), median(reference)));
    }
  };
  compare("bare insert of 500 bytes", "bare transaction of the same statements");
  compare("bare transaction of the same statements", "units of work one by one", "units of work, 16 at once");
  compare("bare claim and mark", "claim, settle under one lease");
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function withProvider(
  folder: string,
  work: (provider: SqliteProvider) => Promise<number>,
): Promise<number> {
  const options = { name: "default", domain: "bench", settings: {}, folder, clock: systemClock };
  const provider = new SqliteProvider(options);
  await provider.open();
  try {
    await provider.setup("all", [{ kind: "aggregate", name: TABLE }]);
    return await work(provider);
  } finally {
    await provider.close();
  }
}

async function unitOfWork(provider: SqliteProvider, unit: number): Promise<void> {
  const session = provider.session();
  await session.mark({ handler: "bench.OrderHandler", type: "Bench.OrderPlaced.v1", messageId: `m${unit}` });
  await session.commit(writesOf(unit));
}

async function fill(provider: SqliteProvider, units: number): Promise<void> {
  const outbox = Array.from({ length: units }, (_, unit) => insertOf(unit));
  await provider.session().commit({ rows: [], outbox, events: [] });
}

function writesOf(unit: number): WriteSet {
  return {
    rows: [{ table: TABLE, id: `o${unit}`, state: PAYLOAD, expected: -1 }],
    outbox: [insertOf(unit)],
    events: [],
  };
}

function insertOf(unit: number): OutboxInsert {
  const streamName = `bench::order-${unit % 1000}`;
  const messageId = `${streamName}-${unit}.1`;
  const metadata = metadataOf(streamName, { id: messageId });
  return {
    messageId,
    streamName,
    type: "Bench.OrderPlaced.v1",
    data: PAYLOAD,
    metadata: JSON.stringify(metadata),
    correlationId: metadata.domain.correlation_id,
    causationId: metadata.domain.causation_id,
    targetBroker: "default",
    priority: 0,
    shard: shardOf(streamName),
  };
}

/** A file as the provider opens it, with its tables, and nothing of the provider's code in the loop. */
function bareFile(folder: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, "bare.db"), { timeout: 0 });
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE plain (at integer PRIMARY KEY, text)",
  );
  upgradeOnce(db, [...ownComponents, rowComponent(TABLE)]);
  return db;
}

async function bare(
  folder: string,
  units: number,
  prepare: (db: DatabaseSync) => (unit: number) => void,
): Promise<number> {
  const db = bareFile(folder);
  const [begin, commit, run] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT"), prepare(db)];
  const ms = await timed(async () => {
    for (let unit = 0; unit < units; unit++) {
      begin.run();
      run(unit);
      commit.run();
      // As a server would: one turn for every transaction.
      await Promise.resolve();
    }
  });
  db.close();
  return ms;
}

function bareUnit(db: DatabaseSync): (unit: number) => void {
  const mark = db.prepare(
    "INSERT INTO protean_processed (handler, type, message_id, processed_at) VALUES (?, ?, ?, ?)",
  );
  const row = db.prepare(`INSERT INTO ${TABLE} VALUES (?, 0, ?, ?, ?)`);
  const outbox = bareInsert(db);
  return (unit) => {
    const now = new Date().toISOString();
    mark.run("bench.OrderHandler", "Bench.OrderPlaced.v1", `m${unit}`, now);
    row.run(`o${unit}`, PAYLOAD, now, now);
    outbox(unit, now);
  };
}

function bareInsert(db: DatabaseSync): (unit: number, now: string) => void {
  const insert = db.prepare(
    `INSERT INTO protean_outbox (message_id, stream_name, type, shard, target_broker, created_at, correlation_id, data, metadata_)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return (unit, now) => {
    const { messageId, streamName, type, shard, targetBroker, data, metadata, correlationId } = insertOf(
      unit,
    );
    insert.run(
      messageId,
      streamName,
      type,
      shard,
      targetBroker,
      now,
      correlationId,
      data,
      metadata,
    );
  };
}

/** One statement that claims a hundred rows, one that marks them. */
async function bareOutbox(folder: string, units: number): Promise<number> {
  const db = bareFile(folder);
  const insert = bareInsert(db);
  db.exec("BEGIN");
  for (let unit = 0; unit < units; unit++) insert(unit, new Date().toISOString());
  db.exec("COMMIT");
  const claim = db.prepare(
    `UPDATE protean_outbox SET status = 'processing' WHERE seq > ? AND seq <= ? RETURNING *`,
  );
  const mark = db.prepare(
    "UPDATE protean_outbox SET status = 'published', published_at = ? WHERE seq IN (SELECT value FROM json_each(?))",
  );
  const ms = await timed(async () => {
    for (let after = 0; after < units; after += BATCH) {
      const rows = claim.all(after, after + BATCH);
      mark.run(new Date().toISOString(), JSON.stringify(rows.map(({ seq }) => seq)));
      await Promise.resolve();
    }
  });
  db.close();
  return ms;
}
