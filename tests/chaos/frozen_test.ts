/** Redis stands still, or forgets everything (faults F8, F11). */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { readyAgain, unready } from "./audit/readiness.ts";
import { lasting, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** Until the groups are there again after FLUSHALL. */
const GROUPS_MS = 5000;
const FLUSH_LOG_LINES = 5;

faultTest(
  "F8: Redis frozen stops nobody: alive, not ready, and ready again within ten seconds",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const servers = [await stage.serve(), await stage.serve()];
    const [server] = servers;
    assert(server);
    const events = Math.ceil(runSize() / 4);
    stage.produce({ events });
    await stage.effects(events * chance.between(0.2, 0.5), server);
    stage.redis.freeze();
    try {
      for (const each of servers) await unready(each, /redis|no answer/i);
      for (const each of servers) assertEquals((await each.probe("/livez")).status, 200);
      // Longer than entries may lie idle before others claim them: nobody living is to be robbed (D11).
      await pause(lasting(30_000, 4000));
      for (const each of servers) assertEquals((await each.probe("/livez")).status, 200);
    } finally {
      stage.redis.thaw();
    }
    for (const each of servers) await readyAgain(each);
    await stage.settled(server);
    await stage.audit({ events, ordered: false });
    assertEquals(await stage.givenUp(), 0);
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);

faultTest(
  "F11: after FLUSHALL the groups are there again within five seconds, in a few lines",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const server = await stage.serve();
    const events = Math.ceil(runSize() / 4);
    stage.produce({ events });
    await stage.settled(server);
    const before = await lines(server);
    await stage.streams.ask("FLUSHALL");
    stage.produce({ events: 2 * events });
    const took = await server.until(
      async () => (await stage.streams.groups("audit::source")).length === 1,
      "the group to be made again",
    );
    assert(took < GROUPS_MS, `made again after ${Math.round(took)} ms`);
    await stage.settled(server);
    const told = (await lines(server)).slice(before.length);
    assert(told.length <= FLUSH_LOG_LINES, told.join("\n"));
    await stage.audit({ events: 2 * events, ordered: true });
    assertEquals(await server.end("SIGTERM"), 0);
  },
);

async function lines(server: { log(): Promise<string> }): Promise<readonly string[]> {
  return (await server.log()).trim().split("\n");
}
