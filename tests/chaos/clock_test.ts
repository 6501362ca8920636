/** One replica's clock is a month ahead, or behind (fault F30, D9). */
import { assertEquals } from "@std/assert";
import type { RunningServer } from "../e2e/server.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

const MONTH_MS = 30 * 24 * 3600 * 1000;
const CLEANING = "[outbox.cleanup]\ncleanup_interval_ticks = 1\n";

faultTest(
  "F30: a replica whose clock is a month off removes nothing that should stay, and says so once",
  async (chance) => {
    await using stage = await Stage.open({ chance, toml: CLEANING });
    const right = await stage.serve();
    const each = Math.ceil(runSize() / 10);
    let events = each;
    stage.produce({ events });
    await stage.settled(right);
    for (const ahead of [MONTH_MS, -MONTH_MS]) {
      const wrong = await stage.serve(ahead);
      events += each;
      stage.produce({ events });
      await stage.settled(wrong);
      await wrong.until(async () => await told(wrong) > 0, "the replica to find its clock wrong");
      assertEquals([await stage.books.rows("protean_processed"), await stage.books.rows("protean_outbox")], [
        events,
        events,
      ]);
      assertEquals(await told(wrong), 1);
      assertEquals(await wrong.end("SIGTERM"), 0);
    }
    assertEquals(await told(right), 0);
    await stage.audit({ events, ordered: false });
    assertEquals(await right.end("SIGTERM"), 0);
  },
);

/** How often it has said that its clock is not the database's. */
async function told(server: RunningServer): Promise<number> {
  return (await server.log()).split('"maintenance.clocks_differ"').length - 1;
}
