import { assertEquals, assertInstanceOf } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteBroker } from "../../../../../lib/adapters/sqlite/broker.ts";
import { SqliteCache } from "../../../../../lib/adapters/sqlite/cache.ts";
import { asError, BrokerUnavailableError, ProviderUnavailableError } from "../../../../../lib/errors.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

for (const first of ["broker", "cache"]) {
  Deno.test(`a file in trouble is told as each adapter's own when the ${first} opened it first`, async () => {
    const folder = await Deno.makeTempDir();
    const clock = new FakeClock();
    const options = { name: "default", domain: "shop", settings: {}, folder, clock };
    const broker = new SqliteBroker(options);
    const cache = new SqliteCache(options);
    const adapters = first === "broker" ? [broker, cache] : [cache, broker];
    const other = new DatabaseSync(join(folder, "shop-streams.db"));
    try {
      for (const adapter of adapters) await adapter.open();
      other.exec("BEGIN IMMEDIATE");
      const tries = Promise.all([
        cache.set("key", "1").catch(asError),
        broker.publish([{ stream: "orders", data: "1" }]).catch(asError),
      ]);
      await clock.advance(60_000);
      const [cached, published] = await tries;
      assertInstanceOf(cached, ProviderUnavailableError);
      assertInstanceOf(published, BrokerUnavailableError);
      assertEquals(published.message, cached.message);
      // The sentence is not said again in the chain of causes.
      assertEquals(asError(published.cause).message, "database is locked");
    } finally {
      other.close();
      for (const adapter of adapters) await adapter.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
