/**
 * The database is away for longer than any number of retries (F16), or refuses everybody (F31): messages
 * wait, and go on by themselves.
 */
import { assert, assertEquals } from "@std/assert";
import { logged } from "../e2e/tasks.ts";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { lasting } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** What takes a quarter of an hour at the defaults takes seconds: twenty tries, and the message's own. */
const QUICK = { retry_delay_seconds: 0.1, retry_max_delay_seconds: 0.2, max_retries: 1 };
const AWAY_MS = lasting(60_000, 15_000);
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

faultTest(
  "D20: what is handled and cannot be acknowledged at the end is counted, and makes the exit 4",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const server = await stage.serve();
    await stage.hold();
    stage.produce({ events: 40 });
    await stage.produced();
    await server.until(async () => (await stage.deliveries()).length >= 16, "handlers to be at work");
    stage.redis.freeze();
    await stage.release();
    await stage.effects(16, server);
    assertEquals(await server.end("SIGTERM"), 4, await server.log());
    stage.redis.thaw();
    const [left] = await logged(server, "subscription.left_pending");
    assert(Number(left?.["unacknowledged"]) >= 16, JSON.stringify(left));
    // They are delivered again, and have their effect once.
    const next = await stage.serve();
    await stage.settled(next);
    await stage.audit({ events: 40, ordered: false });
  },
);
