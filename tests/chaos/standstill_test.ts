/** One of several processes stands still and holds nobody up (F29, D2). */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { UnavailableError } from "../../lib/errors.ts";
import { names, published } from "../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { PostgresServer, postgresTest } from "../support/postgres_server.ts";
import { pause, until } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { lasting, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

postgresTest(
  "F29: the shards of an outbox processor that stands still move within half a minute, and it publishes nothing when it wakes",
  async () => {
    await using server = await PostgresServer.start({ settings: { fsync: "off" } });
    // Its time stands still, and with it all that it does.
    const clock = new FakeClock(Date.now());
    await using frozen = await TestProvider.ready({ uri: server.uri(), clock });
    await using other = new TestProvider({ uri: server.uri() });
    const still = await frozen.outbox.lease({ broker: "default", owner: "still" });
    await other.commit({ outbox: [outboxInsert("shop::order-1", { messageId: "m1" })] });
    const claimed = await still.claim(9);
    assertEquals(names(claimed), ["m1"]);
    const heir = await other.outbox.lease({ broker: "default", owner: "heir" });
    assertEquals(heir.shards, []);
    const took = await until(
      async () => {
        await heir.share();
        return heir.shards.length === 16;
      },
      "the shards of the one that stands still",
      { within: 60_000, every: 200 },
    );
    assertEquals(took < 30_000, true, `${Math.round(took)} ms`);
    const rows = await heir.claim(9);
    assertEquals(names(rows), ["m1"]);
    await heir.settle(rows.map(published));
    // It wakes up.
    await clock.advance(60_000);
    assertThrows(() => still.assertHeld(), UnavailableError);
    await assertRejects(() => still.settle(claimed.map(published)), UnavailableError);
    await still.release();
    await heir.release();
    assertEquals((await other.outbox.stats()).counts.published, 1);
  },
);

faultTest(
  "F29: one of two servers stands still and holds nobody up, and does nothing twice when it wakes",
  async (chance) => {
    await using stage = await Stage.open({ chance });
    const [still, other] = [await stage.serve(), await stage.serve()];
    const events = Math.ceil(runSize() / 4);
    stage.produce({ events: 2 * events });
    await stage.effects(events * chance.between(0.2, 0.8), other);
    still.child.kill("SIGSTOP");
    try {
      await stage.produced();
      const took = await other.until(
        async () => await stage.books.unpublished() === 0,
        "all shards to have moved",
      );
      assertEquals(took < 30_000, true, `${Math.round(took)} ms`);
      await stage.settled(other);
      await pause(lasting(30_000, 0));
    } finally {
      still.child.kill("SIGCONT");
    }
    stage.produce({ events: 3 * events });
    await stage.settled(other);
    await stage.audit({ events: 3 * events, ordered: false });
    assertEquals(await stage.givenUp(), 0);
    for (const server of [still, other]) assertEquals(await server.end("SIGTERM"), 0);
  },
);
