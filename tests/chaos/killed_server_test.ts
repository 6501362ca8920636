/** A server is killed while its handlers run, and another one has to take over (fault F2). */
import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

const IN_FLIGHT = 100;
const CLAIM_IDLE_MS = 3000;
const CLAIM_INTERVAL_MS = 1000;
/** What two busy cores may add between a redelivery and our noticing it. */
const NOTICING_MS = 1000;

faultTest(
  "F2: a hundred handlers in flight at SIGKILL all run again, the first of them as soon as it may",
  async (chance) => {
    await using stage = await Stage.open({
      chance,
      connections: IN_FLIGHT + 10,
      settings: {
        concurrency: IN_FLIGHT,
        claim_idle_ms: CLAIM_IDLE_MS,
        claim_interval_ms: CLAIM_INTERVAL_MS,
      },
    });
    const killed = await stage.serve();
    await stage.hold();
    stage.produce({ events: IN_FLIGHT, keys: IN_FLIGHT, batch: 1 });
    await killed.until(
      async () => (await stage.deliveries()).length === IN_FLIGHT,
      "a hundred handlers in flight",
    );
    const heir = await stage.serve();
    await killed.end("SIGKILL");
    await stage.release();
    const took = await heir.until(
      async () => (await stage.deliveries()).length > IN_FLIGHT,
      "the first redelivery",
    );
    assert(
      took < CLAIM_IDLE_MS + CLAIM_INTERVAL_MS + NOTICING_MS,
      `the first redelivery came after ${Math.round(took)} ms`,
    );
    const events = Math.max(runSize(), IN_FLIGHT);
    stage.produce({ events, keys: IN_FLIGHT });
    await stage.settled(heir);
    // Across processes the order of a key is not promised: what the dead one held is claimed later than new
    // entries are read.
    await stage.audit({ events, ordered: false });
    const redelivered = (await stage.deliveries()).filter(({ process, n }) =>
      process === heir.child.pid && n === 1
    );
    assertEquals(redelivered.length, IN_FLIGHT);
    assertEquals(await heir.end("SIGTERM"), 0);
  },
);
