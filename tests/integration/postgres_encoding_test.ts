import { assertEquals, assertStringIncludes } from "@std/assert";
import { logged } from "../support/logged.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const database = sharedPostgres();

/** What a provider on a database of this encoding warns of, over several connections. */
async function warnings(encoding: string): Promise<readonly Record<string, unknown>[]> {
  const { server, name } = await database();
  const own = `${name}_${encoding.toLowerCase()}`;
  await server.sql(
    `create database ${own} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`,
  );
  const records = await logged(async () => {
    await using provider = await TestProvider.ready({ uri: server.uri({ database: own }) });
    await provider.verify();
    await provider.ping(AbortSignal.timeout(10_000));
  });
  return records.filter(({ level }) => level === "warning").map(({ message, properties }) => ({
    event: message.join(""),
    ...properties,
  }));
}

for (const encoding of ["LATIN1", "SQL_ASCII"]) {
  postgresTest(`a database whose encoding is ${encoding} is warned of, once`, async () => {
    const [warning, ...others] = await warnings(encoding);
    assertEquals(others, []);
    assertEquals([warning?.["event"], warning?.["encoding"]], ["postgres.encoding", encoding]);
    assertStringIncludes(String(warning?.["message"]), "create the database anew with ENCODING 'UTF8'");
  });
}

postgresTest("a database in UTF-8 is not warned of", async () => {
  assertEquals(await warnings("UTF8"), []);
});
