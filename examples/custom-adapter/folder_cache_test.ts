import type { AdapterOptions } from "@protean/server/adapters";
import { FakeClock } from "@protean/server/testing";
import { cacheConformance } from "@protean/server/testing/conformance";
import { FolderCache } from "./folder_cache.ts";

cacheConformance("folder", async () => {
  const clock = new FakeClock();
  const folder = await Deno.makeTempDir();
  const options: AdapterOptions = {
    name: "default",
    domain: "shop",
    settings: { folder: "cache" },
    folder,
    clock,
  };
  const another = async () => {
    const cache = new FolderCache(options);
    await cache.open();
    return cache;
  };
  return {
    cache: await another(),
    another,
    elapse: (ms) => clock.advance(ms),
    close: () => Deno.remove(folder, { recursive: true }),
  };
});
