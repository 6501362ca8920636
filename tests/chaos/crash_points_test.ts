/**
 * A server dies between two steps that no transaction spans (faults F19, F20). The proxy stops the world at
 * that point: the one step has happened and can be seen to have happened, the other cannot.
 */
import { assertEquals } from "@std/assert";
import { faultTest } from "./audit/fault.ts";
import { Stage } from "./audit/stage.ts";

const EVENTS = 20;
/** Published before: the processor has seen by then that rows are small, and takes all of the others at once. */
const BEFORE = 20;
const STREAM = "audit::source";

faultTest(
  "F19: a crash between XADD and marking the row publishes twice and has one effect",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const killed = await stage.serve();
    // The first publishing teaches Redis the script, and needs answers.
    stage.produce({ events: BEFORE, keys: 1, batch: BEFORE });
    await stage.settled(killed);
    // From here on Redis does as it is told, and the server never learns of it.
    stage.redisProxy.mute();
    stage.produce({ events: BEFORE + EVENTS, keys: 1, batch: EVENTS });
    await killed.until(
      async () => await stage.streams.length(STREAM) === BEFORE + EVENTS,
      "the events to be published",
    );
    await killed.end("SIGKILL");
    assertEquals(await stage.books.unpublished(), EVENTS, "rows not marked");
    stage.redisProxy.heal();
    const heir = await stage.serve();
    await stage.settled(heir);
    assertEquals(await stage.streams.length(STREAM), BEFORE + 2 * EVENTS, "entries");
    await stage.audit({ events: BEFORE + EVENTS, ordered: false });
    assertEquals(await heir.end("SIGTERM"), 0);
  },
);

faultTest("F20: a crash between commit and acknowledgement has one effect", async (chance) => {
  await using stage = await Stage.open({ chance, settings: { concurrency: EVENTS } });
  const killed = await stage.serve();
  await stage.hold();
  stage.produce({ events: EVENTS, keys: EVENTS, batch: 1 });
  await killed.until(async () => (await stage.deliveries()).length === EVENTS, "all handlers in flight");
  // Nothing reaches Redis any more; the way to the database is open.
  stage.redisProxy.blackhole();
  await stage.release();
  await stage.effects(EVENTS, killed);
  await killed.end("SIGKILL");
  const pending = async () => (await stage.streams.groups(STREAM))[0]?.pending;
  assertEquals(await pending(), EVENTS, "entries not acknowledged");
  stage.redisProxy.heal();
  const heir = await stage.serve();
  await stage.settled(heir);
  assertEquals(await pending(), 0);
  await stage.audit({ events: EVENTS, ordered: false });
  assertEquals(await heir.end("SIGTERM"), 0);
});
