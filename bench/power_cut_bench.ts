/**
 * What it costs that no power cut loses a published event on the embedded default (D13): the way from the
 * commit to the record of the publication with the broker, which waits for the disk with every batch, against
 * one that does not, in one run and on one disk. Batches as the outbox makes them, and single events. Prints
 * ratios of times; the median of the rounds.
 * `deno run -A bench/power_cut_bench.ts [rows] [rounds]`
 *
 * @module
 */
import { join } from "node:path";
import { type OutboxInsert, type PublishResult, shardOf } from "../lib/adapters/ports.ts";
import { SqliteBroker } from "../lib/adapters/sqlite/broker.ts";
import { DatabaseFile } from "../lib/adapters/sqlite/file/database_file.ts";
import { SqliteProvider } from "../lib/adapters/sqlite/provider.ts";
import { append } from "../lib/adapters/sqlite/streams/rows.ts";
import { systemClock } from "../lib/async/clock.ts";
import { publishBatch } from "../lib/outbox/publish.ts";
import { metadataOf } from "../lib/testing/conformance/provider_suite_rig.ts";
import { median, print, rate, ratio } from "./report.ts";

const [ROWS = 20_000, ROUNDS = 5] = Deno.args.map(Number);
const DATA = JSON.stringify({ note: "x".repeat(489) });
const NOTHING = { rows: [], events: [] };
const retry = {
  ...{ max_attempts: 3, base_delay_seconds: 1, max_backoff_seconds: 60 },
  ...{ backoff_multiplier: 2, jitter: true, jitter_factor: 0.25 },
};

/** The same broker, which leaves the syncing to the next checkpoint. */
class UnsyncedBroker extends SqliteBroker {
  readonly #file = new DatabaseFile({
    path: join(this.options.folder, "bench-streams.db"),
    synchronous: "NORMAL",
    clock: systemClock,
  });

  override async open(): Promise<void> {
    await super.open();
    await this.#file.open();
  }

  override async publish(
    entries: readonly { readonly stream: string; readonly data: string }[],
  ): Promise<readonly PublishResult[]> {
    const ids = await this.#file.write((db) => append(db, entries, Date.now()), { notify: true });
    return ids.map((id) => ({ id }));
  }

  override async close(): Promise<void> {
    await this.#file.close();
    await super.close();
  }
}

function row(n: number): OutboxInsert {
  const streamName = `bench::item-i${n % 1000}`;
  const messageId = `${streamName}-${n}.1`;
  return {
    ...{ messageId, streamName, type: "Bench.Added.v1", data: DATA, shard: shardOf(streamName) },
    metadata: JSON.stringify(metadataOf(streamName, { id: messageId })),
    ...{ correlationId: null, causationId: null, targetBroker: "default", priority: 0 },
  };
}

/** Rows/s from the commit, `batch` units of work at once, to the record of the publication. */
async function committedAndPublished(Broker: typeof SqliteBroker, batch: number): Promise<number> {
  const folder = await Deno.makeTempDir();
  const options = { name: "default", domain: "bench", settings: {}, folder, clock: systemClock };
  const [provider, broker] = [new SqliteProvider(options), new Broker(options)];
  try {
    await provider.open();
    await provider.setup("own", []);
    await broker.open();
    const lease = await provider.outbox.lease({ broker: "default", owner: "bench" });
    const refusals = { refused: () => {}, taken: () => {} };
    const parts = { broker, lease, retry, refusals, clock: systemClock, random: Math.random };
    const rows = batch === 1 ? Math.ceil(ROWS / 20) : ROWS;
    const began = performance.now();
    for (let from = 0; from < rows; from += batch) {
      const units = Array.from({ length: batch }, (_, n) => ({ ...NOTHING, outbox: [row(from + n)] }));
      await Promise.all(units.map((writes) => provider.session().commit(writes)));
      const claimed = await lease.claim(batch);
      const { outcomes } = await publishBatch(claimed, parts, new Set());
      await lease.settle(outcomes);
    }
    const figure = rate(rows, performance.now() - began);
    await lease.release();
    return figure;
  } finally {
    await broker.close();
    await provider.close();
    await Deno.remove(folder, { recursive: true });
  }
}

for (const batch of [50, 1]) {
  const figures = { synced: [] as number[], unsynced: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    figures.unsynced.push(await committedAndPublished(UnsyncedBroker, batch));
    figures.synced.push(await committedAndPublished(SqliteBroker, batch));
  }
  const [synced, unsynced] = [median(figures.synced), median(figures.unsynced)];
  print(`time, batches of ${batch}, rows/s synced`, synced, "unsynced", unsynced, ratio(unsynced, synced));
}
