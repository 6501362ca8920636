/**
 * The SQLite cache under the cache suite.
 *
 * @module
 */
import { SqliteCache } from "../../lib/adapters/sqlite/cache.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";

cacheConformance("sqlite", async () => {
  const clock = new FakeClock();
  const folder = await Deno.makeTempDir();
  const caches: SqliteCache[] = [];
  const another = async () => {
    const cache = new SqliteCache({ name: "default", domain: "shop", settings: {}, folder, clock });
    await cache.open();
    caches.push(cache);
    return cache;
  };
  return {
    cache: await another(),
    another,
    elapse: (ms) => clock.advance(ms),
    close: async () => {
      for (const cache of caches) await cache.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});
