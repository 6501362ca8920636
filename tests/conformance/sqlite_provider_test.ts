/**
 * The SQLite provider under the provider and outbox suites.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";

async function open(): Promise<ProviderFixture> {
  const clock = new FakeClock();
  const folder = await Deno.makeTempDir();
  const providers: SqliteProvider[] = [];
  const another = async () => {
    const provider = new SqliteProvider({ name: "default", domain: "shop", settings: {}, folder, clock });
    await provider.open();
    providers.push(provider);
    return provider;
  };
  return {
    provider: await another(),
    another,
    clock,
    elapse: (ms) => clock.advance(ms),
    close: async () => {
      for (const provider of providers) await provider.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

providerConformance("sqlite", open);
outboxConformance("sqlite", open);
