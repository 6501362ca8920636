/**
 * The PostgreSQL provider under the provider and outbox suites: one server, a schema of its own for every
 * rule.
 *
 * @module
 */
import { PostgresProvider } from "../../lib/adapters/postgres/provider.ts";
import { openedInRealTime } from "../support/opened.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";

let server: PostgresServer | undefined;

async function open(): Promise<ProviderFixture> {
  // A name that has to be quoted wherever it is written.
  const schema = `Suite "${crypto.randomUUID().slice(0, 8)}" it's`;
  const settings = { database_uri: server?.uri(), schema, pool_size: 3, max_overflow: 2 };
  const { first, ...rest } = await openedInRealTime((clock) =>
    new PostgresProvider({ name: "default", domain: "shop", settings, folder: "/", clock })
  );
  return { provider: first, ...rest };
}

if (postgresAvailable) {
  Deno.test.beforeAll(async () => {
    server = await PostgresServer.start({
      settings: { fsync: "off", max_connections: "50", deadlock_timeout: "20ms" },
    });
  });
  Deno.test.afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  providerConformance("postgres", open);
  outboxConformance("postgres", open);
}
