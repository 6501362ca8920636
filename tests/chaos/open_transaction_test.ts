/** A transaction stays open in the database for the whole run (fault F32, D7). */
import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

/** Blocks that one claim may touch at the end, for each that it touches at the beginning. */
const FLAT = 3;

faultTest(
  "F32: an open transaction slows nobody down, however much is published beside it",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const server = await stage.serve();
    const events = Math.ceil(runSize() / 2);
    await using _forgotten = await stage.forgottenTransaction();
    const touched: number[] = [];
    for (let part = 1; part <= 5; part++) {
      const before = await stage.books.outboxBlocks();
      stage.produce({ events: events * part / 5 });
      await stage.settled(server);
      touched.push(await stage.books.outboxBlocks() - before);
    }
    const [first = 0] = touched;
    assert(
      touched.every((blocks) => blocks < FLAT * first),
      `blocks touched in each fifth: ${touched.join(", ")}`,
    );
    await stage.audit({ events, ordered: true });
    assertEquals(await server.end("SIGTERM"), 0);
  },
);
