/** S57: while rows are given to the broker no transaction is open in their database, nor any lock held there. */
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import type { PublishResult } from "../../../lib/adapters/ports.ts";
import { SqliteProvider } from "../../../lib/adapters/sqlite/provider.ts";
import { systemClock } from "../../../lib/async/clock.ts";
import { outboxInsert, writeSet } from "../../../lib/testing/conformance/provider_suite_rig.ts";
import { OutboxProcessor } from "../../../lib/outbox/processor.ts";
import { until } from "../../support/until.ts";
import { retry } from "./outbox_rig.ts";

Deno.test("S57: rows are published while no unit of work is open: others may write meanwhile (SQLite)", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/shop.db`;
  const options = { name: "default", domain: "shop", folder, clock: systemClock, migrate: true };
  const provider = new SqliteProvider({ ...options, settings: { database_uri: `sqlite:///${file}` } });
  const seen: string[] = [];
  class Watched extends MemoryBroker {
    override async publish(
      entries: readonly { readonly stream: string; readonly data: string }[],
    ): Promise<readonly PublishResult[]> {
      const other = new DatabaseSync(file);
      try {
        // Refused at once where anybody's transaction holds the file.
        other.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE");
        const [row] = other.prepare("SELECT group_concat(DISTINCT status) AS all_of FROM protean_outbox")
          .all();
        seen.push(String(row?.["all_of"]));
        other.exec("ROLLBACK");
      } catch (error) {
        seen.push(String(error));
      } finally {
        other.close();
      }
      return await super.publish(entries);
    }
  }
  const broker = new Watched({ ...options, settings: {} });
  const processor = new OutboxProcessor({
    ...{ provider, broker, owner: "host-1", clock: systemClock, onFailure: () => {} },
    settings: { messagesPerTick: 10, maxTickIntervalSeconds: 1, retry },
  });
  try {
    await provider.open();
    await provider.setup("all", []);
    await provider.session().commit(
      writeSet({ outbox: [outboxInsert("shop::order-1", { messageId: "m1" })] }),
    );
    await processor.start();
    await until(
      async () => (await provider.outbox.stats()).counts.published === 1,
      "the row to be published",
    );
    assertEquals(seen, ["processing"]);
  } finally {
    await processor.stop();
    await broker.close();
    await provider.close();
    await Deno.remove(folder, { recursive: true });
  }
});
