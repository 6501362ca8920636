/** The probes of a program of the team's own, beside a database that answers pings and refuses the work. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Domain } from "@protean/server";
import { createHealthRouter } from "@protean/server/health";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { postgresTest, sharedPostgres } from "../support/postgres_server.ts";
import { until } from "../support/until.ts";

const start = sharedPostgres();
const NOTICED_MS = 10_000;

postgresTest(
  "the router of an application is unready while the database refuses what its work needs",
  async () => {
    const database = await start();
    await using domain = new Domain("shop");
    const databases = { default: { provider: "postgresql", database_uri: database.uri({ user: "api" }) } };
    const config = { databases, brokers: { default: { provider: "memory" } } };
    await database.sql("create role api login", "grant all on schema public to api");
    await domain.init({ config });
    await runtimeOf(domain).providers.get("default")?.setup("own", []);
    const router = createHealthRouter(domain);
    let body = "";
    const says = (status: number) => async () => {
      const response = await router(new Request("http://api/readyz"));
      body = await response?.text() ?? "";
      return response?.status === status;
    };
    await until(says(200), "readiness at the start", { within: NOTICED_MS });
    await database.sql("alter table protean_outbox rename to aside");
    await until(says(503), "readiness to tell of it", { within: NOTICED_MS });
    assertStringIncludes(body, "protean_outbox");
    await database.sql("alter table aside rename to protean_outbox");
    await until(says(200), "readiness to tell of the end", { within: NOTICED_MS });
    assertEquals(await domain.close(), []);
  },
);
