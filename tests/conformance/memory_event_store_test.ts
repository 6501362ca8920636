/**
 * The memory event store under the event store suite.
 *
 * @module
 */
import { MemoryEventStore } from "../../lib/adapters/memory/event_store.ts";
import { MemoryProvider } from "../../lib/adapters/memory/provider.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { eventStoreConformance } from "../../lib/testing/conformance/event_store_suite.ts";

eventStoreConformance("memory", async () => {
  const clock = new FakeClock();
  const options = { name: "default", domain: "shop", settings: {}, folder: "/", clock };
  const [store, provider] = [new MemoryEventStore(options), new MemoryProvider(options)];
  await store.open();
  await provider.open();
  return { store, provider, clock, close: () => store.close() };
});
