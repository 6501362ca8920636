/** A process stands still in the middle of a transaction, or with a lock, and holds nobody up (F29, D2). */
import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { DuplicateMessageError, UnavailableError } from "../../lib/errors.ts";
import { soon, sql, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { PostgresServer, postgresTest } from "../support/postgres_server.ts";
import { until } from "../support/until.ts";

const mark = (messageId: string) => ({ handler: "h", type: "t", messageId });
const SHARE_MS = 30_000;

postgresTest(
  "F29: what a process that stands still has marked and locked is free within half a minute",
  async () => {
    await using server = await PostgresServer.start({ settings: { fsync: "off" } });
    // Its time stands still, and with it all that it does.
    await using frozen = await TestProvider.ready({ uri: server.uri(), clock: new FakeClock(Date.now()) });
    await using living = new TestProvider({ uri: server.uri() });
    await using heir = new TestProvider({ uri: server.uri() });
    const [still, slow] = [frozen.session(), living.session()];
    // Transactions of their own, which a statement of the user's begins; the others lock nothing before they
    // commit.
    await still.query(sql`select 1`);
    await slow.query(sql`select 1`);
    assertEquals(await still.mark(mark("m1")), true);
    assertEquals(await slow.mark(mark("m2")), true);
    await frozen.lock("maintenance");
    await using kept = await living.lock("kept");
    const [takesOver, waits] = [heir.session(), heir.session()];
    await takesOver.query(sql`select 1`);
    await waits.query(sql`select 1`);
    const began = performance.now();
    const blocked = waits.mark(mark("m2"));
    assertEquals(await takesOver.mark(mark("m1")), true);
    const took = performance.now() - began;
    assertEquals(took < SHARE_MS, true, `${Math.round(took)} ms`);
    await takesOver.commit(writeSet({}));
    await until(
      async () => await heir.lock("maintenance") !== undefined,
      "the lock of the one that stands still",
      {
        within: SHARE_MS,
        every: 500,
      },
    );
    // A handler that merely takes long keeps what it has.
    assertEquals(await heir.lock("kept"), undefined);
    await slow.commit(writeSet({}));
    assertEquals(await blocked, false);
    await waits.rollback();
    assertEquals(kept?.signal.aborted, false);
    // It wakes up.
    await assertRejects(() => still.commit(writeSet({})), UnavailableError);
  },
);

postgresTest(
  "F29: what waits in line behind a process that stands still, and belongs to it, holds nobody up either",
  async () => {
    await using server = await PostgresServer.start({ settings: { fsync: "off" } });
    await using frozen = await TestProvider.ready({ uri: server.uri(), clock: new FakeClock(Date.now()) });
    await using heir = new TestProvider({ uri: server.uri() });
    const [still, behind, takesOver] = [frozen.session(), frozen.session(), heir.session()];
    for (const session of [still, behind, takesOver]) await session.query(sql`select 1`);
    assertEquals(await still.mark(mark("m1")), true);
    assertEquals(await behind.mark(mark("m2")), true);
    // Both stop now, the one at work at nothing and the other in the middle of its statement.
    const waiting = behind.mark(mark("m1")).catch(() => {});
    const began = performance.now();
    assertEquals(await takesOver.mark(mark("m2")), true);
    const took = performance.now() - began;
    assertEquals(took < SHARE_MS, true, `${Math.round(took)} ms`);
    await takesOver.commit(writeSet({}));
    // It may have had its turn in the moment before it was ended.
    await waiting;
    await assertRejects(() => behind.commit(writeSet({})));
    await assertRejects(() => still.commit(writeSet({})), UnavailableError);
  },
);

postgresTest(
  "F29: a process that stands still before a commit that travels with others locks nothing, and is a duplicate then",
  async () => {
    await using server = await PostgresServer.start({ settings: { fsync: "off" } });
    await using frozen = await TestProvider.ready({ uri: server.uri(), clock: new FakeClock(Date.now()) });
    await using heir = new TestProvider({ uri: server.uri() });
    const row = (by: string) => ({ table: ORDERS, id: by, state: "{}", expected: -1 });
    const [still, takesOver] = [frozen.session(), heir.session()];
    assertEquals(await still.mark(mark("m1")), true);
    await still.load(ORDERS, "o1");
    assertEquals(await takesOver.mark(mark("m1")), true);
    await soon(takesOver.commit(writeSet({ rows: [row("heir")] })), "The commit of the one that takes over");
    // It wakes up.
    await assertRejects(() => still.commit(writeSet({ rows: [row("still")] })), DuplicateMessageError);
    assertEquals(await server.sql(`select id from ${ORDERS}`), ["heir"]);
  },
);
