/**
 * What every adapter must do, as tests: `@protean/server/testing/conformance`. The built-in adapters pass the
 * same suites.
 *
 * A test file calls the suite of its port with a name and a function that opens a fixture: an adapter on a
 * backend with nothing in it, a way to let time pass for that backend, and a way to close both. Each rule
 * opens a fixture of its own.
 *
 * ```ts
 * // shelf_cache_test.ts, run with `deno test`
 * import { FakeClock } from "@protean/server/testing";
 * import { cacheConformance } from "@protean/server/testing/conformance";
 * import { ShelfCache } from "./shelf_cache.ts";
 *
 * cacheConformance("shelf", async () => {
 *   const clock = new FakeClock();
 *   const cache = new ShelfCache({ name: "default", domain: "shop", settings: {}, folder: Deno.cwd(), clock });
 *   await cache.open();
 *   return { cache, elapse: (ms) => clock.advance(ms), close: () => cache.close() };
 * });
 * ```
 *
 * | Adapter | Suites |
 * | --- | --- |
 * | `BaseCache` | `cacheConformance` |
 * | `BaseBroker` with consumer groups | `brokerConformance`, then `brokerModel`: random commands against a
 * model |
 * | `BaseProvider` | `providerConformance`, and `outboxConformance` with the same fixtures |
 * | `BaseEventStore` | `eventStoreConformance` |
 * | `lock` of a provider or a broker | `lockConformance` |
 * | `peers` of a broker | `peersConformance` |
 * | `rollups` of a broker | `rollupsConformance` |
 *
 * What an adapter cannot do is one of its declared `capabilities`, which the suites heed; there is no way to
 * leave a rule out. The suites register tests with `Deno.test`, so they are for `deno test` and not part of
 * the executable.
 *
 * @module
 */
export { brokerConformance, type BrokerFixture } from "./broker_suite.ts";
export { brokerModel, type BrokerModelOptions } from "./broker_model_suite.ts";
export { cacheConformance, type CacheFixture } from "./cache_suite.ts";
export { eventStoreConformance, type EventStoreFixture } from "./event_store_suite.ts";
export { lockConformance, type LockFixture } from "./lock_suite.ts";
export { peersConformance, type PeersFixture } from "./peers_suite.ts";
export { rollupsConformance, type RollupsFixture } from "./rollups_suite.ts";
export { outboxConformance } from "./outbox_suite.ts";
export { providerConformance, type ProviderFixture } from "./provider_suite.ts";
