/**
 * The SQLite event store under the event store suite, in the provider's file and in one of its own.
 *
 * @module
 */
import { SqliteEventStore } from "../../lib/adapters/sqlite/event_store.ts";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import {
  eventStoreConformance,
  type EventStoreFixture,
} from "../../lib/testing/conformance/event_store_suite.ts";

eventStoreConformance("sqlite", () => open({}));
eventStoreConformance("sqlite in a file of its own", () => open({ database_uri: "sqlite:///events.db" }));

async function open(settings: Record<string, unknown>): Promise<EventStoreFixture> {
  const clock = new FakeClock();
  const folder = await Deno.makeTempDir();
  const options = { name: "default", domain: "shop", folder, clock };
  const provider = new SqliteProvider({ ...options, settings: {} });
  const store = new SqliteEventStore({ ...options, settings });
  await provider.open();
  await store.open();
  return {
    store,
    provider,
    clock,
    close: async () => {
      await store.close();
      await provider.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
