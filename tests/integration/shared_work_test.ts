/**
 * Two server processes share the work of one domain without any fault: the auditor finds both of them at it
 * (issue 3).
 */
import { assert, assertEquals } from "@std/assert";
import { faultTest } from "../chaos/audit/fault.ts";
import { runSize } from "../chaos/audit/seed.ts";
import { Stage } from "../chaos/audit/stage.ts";

/** What the lesser one must have done at least. */
const FAIR_SHARE = 0.1;

faultTest(
  "two server processes share the work: nothing is lost or doubled, and neither is idle",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const servers = [await stage.serve(), await stage.serve()] as const;
    const events = runSize();
    stage.produce({ events });
    await stage.settled(servers[0]);
    await stage.audit({ events, ordered: false });
    const deliveries = await stage.deliveries();
    assertEquals(deliveries.length, events, "without a fault nothing is delivered twice");
    for (const { child } of servers) {
      const own = deliveries.filter(({ process }) => process === child.pid).length;
      assert(own > events * FAIR_SHARE, `process ${child.pid} handled ${own} of ${events}`);
    }
    for (const server of servers) assertEquals(await server.end("SIGTERM"), 0);
  },
);
