/**
 * The SQLite provider under the provider and outbox suites.
 *
 * @module
 */
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";
import { openedInFolder } from "../support/opened.ts";

async function open(): Promise<ProviderFixture> {
  const { first, ...rest } = await openedInFolder((folder, clock) =>
    new SqliteProvider({ name: "default", domain: "shop", settings: {}, folder, clock })
  );
  return { provider: first, ...rest };
}

providerConformance("sqlite", open);
outboxConformance("sqlite", open);
