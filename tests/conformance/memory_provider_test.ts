/**
 * The memory provider under the provider and outbox suites.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MemoryProvider } from "../../lib/adapters/memory/provider.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";

async function open(): Promise<ProviderFixture> {
  const clock = new FakeClock();
  const provider = new MemoryProvider({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
  await provider.open();
  return {
    provider,
    clock,
    elapse: (ms) => clock.advance(ms),
    close: async () => {
      await provider.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
    },
  };
}

providerConformance("memory", open);
outboxConformance("memory", open);
