/**
 * The PostgreSQL provider under the provider and outbox suites: one server, a schema of its own for every
 * rule.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { PostgresProvider } from "../../lib/adapters/postgres/provider.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { outboxConformance } from "../../lib/testing/conformance/outbox_suite.ts";
import { providerConformance, type ProviderFixture } from "../../lib/testing/conformance/provider_suite.ts";

let server: PostgresServer | undefined;

async function open(): Promise<ProviderFixture> {
  const clock = new FakeClock();
  // A name that has to be quoted wherever it is written.
  const schema = `Suite "${crypto.randomUUID().slice(0, 8)}" it's`;
  const providers: PostgresProvider[] = [];
  const another = async () => {
    const settings = { database_uri: server?.uri(), schema, pool_size: 3, max_overflow: 2 };
    const provider = new PostgresProvider({ name: "default", domain: "shop", settings, folder: "/", clock });
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
    },
  };
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
