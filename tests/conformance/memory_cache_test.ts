/**
 * The memory cache under the cache suite.
 *
 * @module
 */
import { MemoryCache } from "../../lib/adapters/memory/cache.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";

cacheConformance("memory", async () => {
  const clock = new FakeClock();
  const cache = new MemoryCache({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  await cache.open();
  return { cache, elapse: (ms) => clock.advance(ms), close: () => cache.close() };
});
