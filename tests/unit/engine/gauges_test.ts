/** What on-call needs, on the stores inside the process (issue 16, 2). */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { gaugesOf } from "../../support/gauge_scenario.ts";
import { inMemory, inSqlite } from "../domain/fixture.ts";

Deno.test("in memory every gauge that on-call needs says what is the case, without maintenance of dead letters", async () => {
  const clock = new FakeClock();
  const samples = await gaugesOf(inMemory(), { clock, tick: () => clock.advance(500) });
  assertEquals(samples.get("protean_db_pool_waiting"), undefined);
});

Deno.test("on SQLite every gauge that on-call needs says what is the case", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const clock = new FakeClock();
    const config = inSqlite(folder, {
      brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` } },
    });
    await gaugesOf(config, { clock, tick: () => clock.advance(500) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
