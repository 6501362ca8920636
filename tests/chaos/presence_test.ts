/**
 * Processes know of each other who lives (findings D6, D11): what the dead leave is taken first and soon, and
 * nobody takes anything from the living.
 */
import { assert, assertEquals } from "@std/assert";
import type { RunningServer } from "../e2e/server.ts";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";
import type { Effect } from "./audit/verdict.ts";
import { pause } from "../support/until.ts";

const CONCURRENCY = 8;
/** As they are where nobody says otherwise: it is not the claim threshold that is waited for. */
const DEFAULTS = { concurrency: CONCURRENCY, claim_idle_ms: 30_000, claim_interval_ms: 5_000 };

const AGAIN_MS = 5_000;
/** What two busy cores may add between a redelivery and our noticing it. */
const NOTICING_MS = 500;
/** A start that takes longer is the machine's. */
const STARTED_MS = 1_000;
/** Longer than the claim threshold, and than a command is waited for. */
const FROZEN_MS = 8_000;
/** Time for everybody to come back, and to take what it believes to be free. */
const BACK_MS = 2_000;

/** What was started and has no effect. */
async function atWork(stage: Stage): Promise<ReadonlySet<string>> {
  const started = new Set((await stage.deliveries()).map(nameOf));
  for (const effect of await stage.books.effects()) started.delete(nameOf(effect));
  return started;
}

/** Kills it while all of its handlers are at work; returns what those had begun. */
async function killAtWork(stage: Stage, server: RunningServer): Promise<ReadonlySet<string>> {
  await stage.hold();
  await server.until(async () => (await atWork(stage)).size >= CONCURRENCY, "all handlers at work");
  await server.end("SIGKILL");
  await stage.release();
  return await atWork(stage);
}

/** Milliseconds since `began` when `server` has begun one of `left`. */
async function firstAgain(
  stage: Stage,
  server: RunningServer,
  left: ReadonlySet<string>,
  began: number,
): Promise<number> {
  await server.until(
    async () =>
      (await stage.deliveries()).some((delivery) =>
        delivery.process === server.child.pid && left.has(nameOf(delivery))
      ),
    "the first redelivery",
  );
  return performance.now() - began;
}

faultTest(
  "D6: a server that is killed and started again at once goes on within five seconds, and keeps the order of every key",
  async (chance) => {
    await using stage = await Stage.open({ chance, settings: DEFAULTS });
    const events = Math.min(runSize(), 1500);
    let server = await stage.serve();
    stage.produce({ events });
    for (const part of [0.2, 0.5]) {
      await stage.effects(events * part, server);
      const left = await killAtWork(stage, server);
      const began = performance.now();
      server = await stage.serve();
      const started = performance.now() - began;
      // As much slower as the start was, so much slower is the machine.
      within(
        await firstAgain(stage, server, left, began) - Math.max(0, started - STARTED_MS),
        started / STARTED_MS,
      );
    }
    await stage.settled(server);
    await stage.audit({ events, ordered: true });
    assertEquals(await server.end("SIGTERM"), 0);
  },
);

faultTest(
  "D6: what a killed server leaves is taken within five seconds by one that lives",
  async (chance) => {
    await using stage = await Stage.open({ chance, settings: DEFAULTS });
    const events = Math.min(runSize(), 1000);
    const killed = await stage.serve();
    stage.produce({ events });
    await killed.until(async () => await stage.books.count() >= events / 4, "a part of the effects");
    await stage.hold();
    await killed.until(async () => (await atWork(stage)).size >= CONCURRENCY, "all handlers at work");
    const heir = await stage.serve();
    await killed.end("SIGKILL");
    const began = performance.now();
    const left = new Set(
      (await stage.deliveries()).filter(({ process }) => process === killed.child.pid).map(nameOf),
    );
    await stage.release();
    within(await firstAgain(stage, heir, left, began));
    await stage.settled(heir);
    // Across processes the order of a key is not promised.
    await stage.audit({ events, ordered: false });
    assertEquals(await heir.end("SIGTERM"), 0);
  },
);

faultTest(
  "D11: Redis that stands still for longer than the claim threshold makes none of three servers rob another",
  async (chance) => {
    await using stage = await Stage.open({
      chance,
      settings: { concurrency: CONCURRENCY, claim_idle_ms: 4000, claim_interval_ms: 500 },
    });
    const events = Math.min(runSize(), 500);
    const servers = [await stage.serve(), await stage.serve(), await stage.serve()];
    const [first] = servers;
    assert(first);
    await stage.hold();
    stage.produce({ events });
    const busy = async () => new Set((await stage.deliveries()).map(({ process }) => process)).size;
    await first.until(async () => await busy() === servers.length, "handlers at work everywhere");
    await stage.produced();
    // What is being published when Redis freezes is there twice afterwards: that is nobody's robbery.
    await first.until(async () => await stage.books.unpublished() === 0, "everything published");
    stage.redis.freeze();
    // What is asked meanwhile is not there to be done at the end: one server comes back before the others.
    stage.redisProxy.blackhole();
    await pause(FROZEN_MS);
    stage.redisProxy.heal();
    stage.redis.thaw();
    // What was read before is idle for longer than the threshold, and its handlers are still at work.
    await first.until(() => stage.streams.read(), "somebody to read again");
    await pause(BACK_MS);
    await stage.release();
    await stage.settled(first);
    await stage.audit({ events, ordered: false });
    const by = Map.groupBy(await stage.deliveries(), nameOf);
    const again = [...by].filter(([, starts]) => starts.length > 1);
    assertEquals(
      again.map(([name, starts]) => `${name} by ${starts.map(({ process }) => process).join(" and ")}`),
      [],
      "what was started twice, and by which processes",
    );
    assertEquals(await Promise.all(servers.map((server) => server.end("SIGTERM"))), [0, 0, 0]);
  },
);

function within(ms: number, slowness = 1): void {
  const most = AGAIN_MS + NOTICING_MS * Math.max(1, slowness);
  assert(ms < most, `the first redelivery came after ${Math.round(ms)} ms, not within ${Math.round(most)}`);
}

function nameOf({ key, n }: Effect): string {
  return `${key}/${n}`;
}
