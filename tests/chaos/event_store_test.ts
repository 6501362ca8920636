/** Event-store subscriptions whose owner is killed, or stands still while another one takes over. */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage, type StageOptions } from "./audit/stage.ts";
import { audited } from "./audit/stored.ts";

/** What a replica may take until it reads in the place of one that was killed. */
const TAKEOVER_MS = 5000;
/** What two busy cores may add before we notice it. */
const NOTICING_MS = 1500;

function stored(handlers: readonly string[], rest: Pick<StageOptions, "chance" | "settings">): StageOptions {
  return {
    ...rest,
    module: { file: new URL("audit/stored.ts", import.meta.url), audited },
    handlers,
    toml: '[event_store]\nprovider = "sqlite"\ndatabase_uri = "sqlite:///events.db"\n',
  };
}

faultTest(
  "event-store subscriptions: owners that are killed leave nothing lost and nothing doubled",
  async (chance) => {
    await using stage = await Stage.open(stored(["StoredHandler"], { chance, settings: { concurrency: 1 } }));
    const events = Math.ceil(runSize() / 8);
    const servers = [await stage.serve(), await stage.serve()];
    stage.produce({ events });
    for (let kill = 1; kill <= 4; kill++) {
      const [first] = servers;
      assert(first);
      await stage.effects(Math.floor(events * kill / 6), first);
      await pause(chance.between(0, 200));
      const [victim] = servers.splice(Math.floor(chance.between(0, servers.length)), 1);
      await victim?.end("SIGKILL");
      servers.push(await stage.serve());
    }
    const [server] = servers;
    assert(server);
    await stage.produced();
    // Those of the other handler may come twice, so only its own tell that it has come to the end.
    const own = async () =>
      (await stage.books.effects()).filter(({ handler }) => handler === "StoredHandler");
    await server.until(async () => (await own()).length >= events, "the effects of StoredHandler");
    await stage.audit({ events, ordered: true });
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);

/** Two servers, and both handlers held in the middle of the one event: by the owner, and by the other. */
async function bothAtWork(stage: Stage) {
  const [one, other] = [await stage.serve(), await stage.serve()];
  await stage.hold();
  stage.produce({ events: 1, keys: 1 });
  await one.until(async () => (await stage.deliveries()).length === 2, "both handlers to be at work");
  const [delivery] = (await stage.deliveries()).filter(({ handler }) => handler === "PlainHandler");
  const servers = [one, other];
  const owner = servers.find(({ child }) => child.pid === delivery?.process);
  assert(owner, "no server has begun");
  return { servers, owner, heir: owner === one ? other : one };
}

faultTest(
  "event-store subscriptions: another one takes over within five seconds of the owner's death",
  async (chance) => {
    await using stage = await Stage.open(stored(["PlainHandler"], { chance }));
    const { owner, heir } = await bothAtWork(stage);
    await owner.end("SIGKILL");
    await stage.release();
    const took = await heir.until(
      async () =>
        (await stage.deliveries()).some(({ process, handler }) =>
          process === heir.child.pid && handler === "PlainHandler"
        ),
      "the heir to have the message",
    );
    assert(took < TAKEOVER_MS + NOTICING_MS, `taken over after ${Math.round(took)} ms`);
    await stage.effects(2, heir);
    await stage.audit({ events: 1, ordered: true });
    assertEquals(await heir.end("SIGTERM"), 0);
  },
);

faultTest(
  "event-store subscriptions: an owner that stood still writes nothing when it wakes",
  async (chance) => {
    await using stage = await Stage.open(stored(["PlainHandler"], { chance }));
    const { servers, owner, heir } = await bothAtWork(stage);
    owner.child.kill("SIGSTOP");
    await stage.release();
    await stage.effects(2, heir);
    owner.child.kill("SIGCONT");
    stage.produce({ events: 20, keys: 4 });
    await stage.produced();
    await stage.effects(2 * 20, heir);
    // The one that woke has had its handler's end, and nothing came of it.
    await owner.ready();
    await stage.audit({ events: 20, ordered: true });
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);
