<<<<<<< HEAD
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
=======
/**
 * The database is away for longer than any number of retries (F16), or refuses everybody (F31): messages
 * wait, and go on by themselves.
 */
import { assert, assertEquals } from "@std/assert";
import { logged } from "../e2e/tasks.ts";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { Stage } from "./audit/stage.ts";

/** What takes a quarter of an hour at the defaults takes seconds: twenty tries, and the message's own. */
const QUICK = { retry_delay_seconds: 0.1, retry_max_delay_seconds: 0.2, max_retries: 1 };
const AWAY_MS = 15_000;
/** A subscription goes on so long after the backend's return. */
const RESUMED_MS = 5_000;
const EVENTS = 400;

const outages: readonly (readonly [
  what: string,
  begin: (stage: Stage) => Promise<unknown>,
  end: (stage: Stage) => Promise<unknown>,
])[] = [
  ["is stopped", (stage) => stage.postgres.stop("immediate"), (stage) => stage.postgres.restart()],
  [
    "lacks a table",
    (stage) => stage.books.ask("alter table effects rename to elsewhere"),
    (stage) => stage.books.ask("alter table elsewhere rename to effects"),
  ],
];

for (const [what, begin, end] of outages) {
  faultTest(
    `F16, F31: a database that ${what} pauses the subscription, and costs no message an attempt`,
    async (chance) => {
      await using stage = await Stage.open({ chance, settings: QUICK });
      const server = await stage.serve();
      await stage.hold();
      stage.produce({ events: EVENTS });
      await stage.produced();
      await server.until(async () => (await stage.deliveries()).length > 0, "handlers to be at work");
      await begin(stage);
      await stage.release();
      await pause(AWAY_MS);
      const { status, body } = await server.probe("/readyz");
      assertEquals(status, 503, JSON.stringify(body));
      await end(stage);
      const took = await server.until(async () => await stage.books.count() > 0, "work to go on");
      assert(took < RESUMED_MS, `it went on after ${Math.round(took)} ms`);
      await stage.settled(server);
      await stage.audit({ events: EVENTS, ordered: true });
      assertEquals(await server.end("SIGTERM"), 0);
      const lines = await Promise.all(
        ["paused", "resumed"].map((event) => logged(server, `subscription.${event}`)),
      );
      assertEquals(lines.map(({ length }) => length), [1, 1], JSON.stringify(lines));
      const dead = await logged(server, "subscription.dead_lettered");
      assertEquals(dead.length, 0);
    },
  );
}
>>>>>>> main
