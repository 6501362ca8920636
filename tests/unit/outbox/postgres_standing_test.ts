/**
 * Leases on PostgreSQL: what the locks say must be what the leases say.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { PostgresProvider } from "../../../lib/adapters/postgres/provider.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { PostgresServer, postgresTest } from "../../support/postgres_server.ts";

postgresTest(
  "A shard that a lease lets go is free, however often the lease has looked for more",
  async () => {
    await using server = await PostgresServer.start({ settings: { fsync: "off" } });
    const clock = new FakeClock();
    const settings = { database_uri: server.uri() };
    const provider = new PostgresProvider({ name: "default", domain: "shop", settings, folder: "/", clock });
    await provider.open();
    await provider.setup("own", []);
    const stand = (owner: string) => provider.outbox.lease({ broker: "default", owner });
    const [first, second, third] = [await stand("w1"), await stand("w2"), await stand("w3")];
    // The third has 4 where it may have 6, and looks for more, over and over.
    for (let n = 0; n < 3; n++) for (const lease of [first, second, third]) await lease.share();
    await first.release();
    for (const lease of [second, third]) await lease.share();
    const fourth = await stand("w4");
    const leases = [second, third, fourth];
    for (let n = 0; n < 2; n++) for (const lease of leases) await lease.share();
    assertEquals(leases.map(({ shards }) => shards.length).sort(), [4, 6, 6]);
    assertEquals(new Set(leases.flatMap(({ shards }) => shards)).size, 16);
    for (const lease of leases) await lease.release();
    await provider.close();
    assertEquals(clock.pending, 0);
  },
);
