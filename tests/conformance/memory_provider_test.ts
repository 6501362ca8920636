/**
 * The memory provider under the provider and outbox suites.
 *
 * @module
 */
import { MemoryProvider } from "../../lib/adapters/memory/provider.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";
import { opened } from "../support/opened.ts";

async function open(): Promise<ProviderFixture> {
  // What is in memory is not shared, so there is no other instance.
  const { first, clock, elapse, close } = await opened((clock) =>
    new MemoryProvider({ name: "default", domain: "shop", settings: {}, folder: "/", clock })
  );
  return { provider: first, clock, elapse, close };
}

providerConformance("memory", open);
outboxConformance("memory", open);
