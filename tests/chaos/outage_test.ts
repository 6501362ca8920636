/** A backend is away for longer than any number of retries (faults F16, outage-outlasts-budget). */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { logged, readyAgain, unready } from "./audit/readiness.ts";
import { lasting, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** From when the database takes connections. */
const RESUMED_MS = 5000;
/** Twenty tries of one message take less than the outage, with these delays. */
const SETTINGS = { max_retries: 3, retry_delay_seconds: 0.05, retry_max_delay_seconds: 0.2 };

faultTest(
  "F16: while PostgreSQL is away subscriptions pause with one warning, and resume within five seconds of its return",
  async (chance) => {
    await using stage = await Stage.open({ chance, settings: SETTINGS });
    const server = await stage.serve();
    const events = Math.ceil(runSize() / 4);
    stage.produce({ events });
    await stage.effects(events * chance.between(0.1, 0.3), server);
    await stage.postgres.stop("immediate");
    await unready(server, /database|postgres/i);
    await pause(lasting(60_000, 10_000));
    assertEquals(await stage.streams.deadLetters(), 0, "dead letters while it is away");
    await stage.postgres.restart();
    const before = await stage.books.count();
    const took = await server.until(async () => await stage.books.count() > before, "the work to go on");
    assert(took < RESUMED_MS, `went on after ${Math.round(took)} ms`);
    await readyAgain(server);
    await stage.settled(server);
    await stage.audit({ events, ordered: true });
    assertEquals(await stage.givenUp(), 0);
    assertEquals((await logged(server)).get("subscription.paused"), 1, await server.log());
    assertEquals(await server.end("SIGTERM"), 0);
  },
);
