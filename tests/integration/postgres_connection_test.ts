/** One connection to a real PostgreSQL. */
import { assertEquals, assertThrows } from "@std/assert";
import { Connection } from "../../lib/adapters/postgres/connection/connection.ts";
import { parsePostgresUri } from "../../lib/adapters/postgres/connection/uri.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { soon } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

postgresTest("a connection still sends after statements that could not even be begun", async () => {
  const db = await start();
  const connection = await Connection.open({
    name: "default",
    label: "a server of one's own",
    uri: parsePostgresUri("default", db.uri()),
    clock: systemClock,
    session: "set time zone 'UTC'",
  });
  try {
    const refuse = () => {
      throw new Error("refused");
    };
    assertThrows(() => connection.together(refuse), Error, "refused");
    const rows = await soon(connection.run("select 1 as one", [], "simple"), "The answer to a statement");
    assertEquals([...rows], [{ one: 1 }]);
  } finally {
    connection.destroy("the test is over");
    await connection.ended;
  }
});
