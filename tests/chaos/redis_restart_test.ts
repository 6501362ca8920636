/** Redis goes away in the middle of the work and comes back (faults F6, F7). */
import { assert, assertEquals } from "@std/assert";
import type { RunningServer } from "../e2e/server.ts";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** From the moment Redis answers again. */
const READING_AGAIN_MS = 5000;

faultTest(
  "F6: Redis restarted at a third and at half of the run loses nothing and stops nobody",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const server = await stage.serve();
    const events = runSize();
    stage.produce({ events });
    for (const part of [1 / 3, 1 / 2]) {
      await stage.effects(events * part, server);
      await stage.redis.stop();
      await pause(chance.between(100, 1000));
      await readsAgain(stage, server);
    }
    await stage.settled(server);
    await stage.audit({ events, ordered: true });
    assertEquals(await server.end("SIGTERM"), 0);
  },
);

faultTest("F7: Redis killed three times within three seconds is read again as after one", async (chance) => {
  await using stage = await Stage.open({ chance });
  const server = await stage.serve();
  const events = runSize();
  stage.produce({ events });
  await stage.effects(events * chance.between(0.2, 0.4), server);
  for (const _ of ["first", "second"]) {
    await stage.redis.kill();
    await stage.redis.restart();
    await pause(chance.between(50, 700));
  }
  await stage.redis.kill();
  await readsAgain(stage, server);
  await stage.settled(server);
  await stage.audit({ events, ordered: true });
  assertEquals(await server.end("SIGTERM"), 0);
});

/** Brings Redis back and waits until the server reads again, which must not take long. */
async function readsAgain(stage: Stage, server: RunningServer): Promise<void> {
  await stage.redis.restart();
  const took = await server.until(() => stage.streams.read(), "reading to go on");
  assert(took < READING_AGAIN_MS, `reading went on after ${Math.round(took)} ms`);
}
