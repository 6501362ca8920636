/**
 * A process that writes units of work to a SQLite file, and one that publishes their outbox rows, for the
 * crash tests. `deno run -A sqlite_worker.ts <folder> write|publish <name> [count]`; prints one line per
 * acknowledged unit, until it is killed or has done `count`.
 *
 * @module
 */
import { SqliteEventStore } from "../../lib/adapters/sqlite/event_store.ts";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { metadataOf, outboxInsert, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";

export const TABLE = "protean_shop_order";

export interface OpenFile {
  readonly provider: SqliteProvider;
  readonly store: SqliteEventStore;
  close(): Promise<void>;
}

/** The file of the test, as every process of it opens it. */
export async function openFile(folder: string): Promise<OpenFile> {
  const options = { name: "default", domain: "shop", settings: {}, folder, clock: systemClock };
  const [provider, store] = [new SqliteProvider(options), new SqliteEventStore(options)];
  await provider.open();
  await store.open();
  await provider.setup("all", [{ kind: "aggregate", name: TABLE }]);
  const close = async () => {
    await store.close();
    await provider.close();
  };
  return { provider, store, close };
}

/** Aggregate row, shared counter, outbox row, event and mark in one commit. */
export async function writeUnit({ provider }: OpenFile, id: string): Promise<void> {
  const stream = `shop::order-${id}`;
  const session = provider.session();
  await session.mark({ handler: "shop.Handler", type: "Shop.OrderPlaced.v1", messageId: id });
  await session.commit(writeSet({
    rows: [
      { table: TABLE, id, expected: -1, state: JSON.stringify({ id, note: "x".repeat(300) }) },
      { table: TABLE, id: "counter", expected: undefined, state: "{}" },
    ],
    outbox: [outboxInsert(stream, { messageId: id })],
    events: [{
      stream,
      type: "Shop.OrderPlaced.v1",
      data: "{}",
      metadata: metadataOf(stream, { id }),
      expectedVersion: -1,
    }],
  }));
}

async function publishBatch({ provider }: OpenFile, owner: string): Promise<readonly string[]> {
  const lease = await provider.outbox.lease({ broker: "default", owner });
  const rows = await lease?.claim(20) ?? [];
  await lease?.settle(rows.map(({ id }) => ({ id, status: "published" })));
  await lease?.release();
  return rows.map(({ messageId }) => messageId);
}

if (import.meta.main) {
  const [folder = "", task = "", name = "", count = "Infinity"] = Deno.args;
  const file = await openFile(folder);
  const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  say("ready");
  for (let unit = 0; unit < Number(count); unit++) {
    if (task === "write") {
      await writeUnit(file, `${name}-${unit}`);
      say(`${name}-${unit}`);
    } else {
      for (const id of await publishBatch(file, name)) say(id);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await file.close();
}
