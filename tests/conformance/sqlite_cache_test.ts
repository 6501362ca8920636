/**
 * The SQLite cache under the cache suite.
 *
 * @module
 */
import { SqliteCache } from "../../lib/adapters/sqlite/cache.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";
import { openedInFolder } from "../support/opened.ts";

cacheConformance("sqlite", async () => {
  const { first, ...rest } = await openedInFolder((folder, clock) =>
    new SqliteCache({ name: "default", domain: "shop", settings: {}, folder, clock })
  );
  return { cache: first, ...rest };
});
