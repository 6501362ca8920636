/**
 * A standby that answers, and a primary that became one while its connections stay open (D3, F28).
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ProviderUnavailableError } from "../../lib/errors.ts";
import { PostgresServer, postgresTest } from "../support/postgres_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { eventually } from "./redis_rig.ts";
import { ORDERS, TestProvider } from "../support/postgres_provider.ts";

postgresTest(
  "a standby that comes first in a list of hosts is passed by, whoever is promoted (D3)",
  async () => {
    await using primary = await PostgresServer.start();
    await using standby = await PostgresServer.standby(primary);
    const uri = `postgresql://postgres@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres`;
    for (const query of ["", "?target_session_attrs=read-write", "?target_session_attrs=primary"]) {
      await using provider = new TestProvider({ uri: uri + query });
      await provider.setup("own", []);
      await provider.outbox.stats();
    }
  },
);

postgresTest("a standby alone is unavailable until it is promoted", async () => {
  await using primary = await PostgresServer.start();
  await using standby = await PostgresServer.standby(primary);
  await using provider = new TestProvider({ uri: standby.uri() });
  await assertRejects(() => provider.ping(AbortSignal.timeout(5000)), ProviderUnavailableError, "standby");
  await primary.stop("immediate");
  await standby.promote();
  await provider.setup("own", []);
  assertEquals((await provider.outbox.stats()).counts.pending, 0);
});

postgresTest("an address that leads to a standby for a while is asked until it has moved (D3)", async () => {
  await using primary = await PostgresServer.start();
  await using standby = await PostgresServer.standby(primary);
  await using proxy = TcpProxy.start(standby.port);
  const uri = `postgresql://postgres@127.0.0.1:${proxy.port}/postgres`;
  await using provider = new TestProvider({ uri });
  const write = async () => {
    await provider.setup("all", [{ kind: "aggregate", name: ORDERS }]);
    await provider.commit({ rows: [{ table: ORDERS, id: "o-1", state: "{}", expected: -1 }] });
  };
  await assertRejects(write, ProviderUnavailableError, "standby");
  proxy.move(primary.port);
  // No connection of the time before is kept.
  await eventually(write);
  assertEquals(await primary.sql(`select id from ${ORDERS}`), ["o-1"]);
});
