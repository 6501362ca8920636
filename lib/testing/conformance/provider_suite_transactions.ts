/**
 * Rules of the unit of work: all or nothing, alone or among others, over when it is over.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ExpectedVersionError, IncorrectUsageError, ProteanError } from "../../errors.ts";
import { inSession, outboxInsert, type Rule, soon, writeSet } from "./provider_suite_rig.ts";

export function transactionRules(rule: Rule): void {
  rule(
    "shows what is flushed to its own session only, until it commits",
    async ({ provider, row, stored, table }) => {
      const session = provider.session();
      await session.flush(writeSet({ rows: [row("o1", -1, { step: 1 }), row("o2", -1, {})] }));
      assertEquals((await session.load(table, "o1"))?.version, 0);
      assertEquals((await session.list(table, { limit: 9 })).map(({ id }) => id), ["o1", "o2"]);
      assertEquals(await stored("o1"), undefined);
      await session.flush(writeSet({ rows: [row("o1", 0, { step: 2 })] }));
      await session.commit(writeSet({ rows: [row("o2", 0)], outbox: [outboxInsert("s-1")] }));
      assertEquals((await stored("o1"))?.version, 1);
      assertEquals(await stored("o2"), undefined);
      assertEquals((await provider.outbox.stats()).counts.pending, 1);
    },
  );

  rule("leaves nothing behind when it is rolled back", async ({ provider, row, stored, commit }) => {
    const session = provider.session();
    await session.mark({ handler: "h", type: "t", messageId: "m" });
    await session.flush(writeSet({ rows: [row("o1", -1, {})], outbox: [outboxInsert("s-1")] }));
    await session.rollback();
    await session.rollback();
    assertEquals(await stored("o1"), undefined);
    assertEquals((await provider.outbox.stats()).counts.pending, 0);
    await soon(commit({ rows: [row("o1", -1, {})] }), "The commit after a rollback");
  });

  rule(
    "is over after a commit, a failed commit or a rollback",
    async ({ provider, row, stored, table, commit }) => {
      const committed = provider.session();
      await committed.commit(writeSet({ rows: [row("o1", -1, {})] }));
      await committed.rollback();
      const failed = provider.session();
      await assertRejects(() => failed.commit(writeSet({ rows: [row("o1", -1, {})] })), ExpectedVersionError);
      const rolledBack = provider.session();
      await rolledBack.load(table, "o1");
      await rolledBack.rollback();
      for (const session of [committed, failed, rolledBack]) {
        await assertRejects(() => session.load(table, "o1"), IncorrectUsageError, "has ended");
        const writes = writeSet({ rows: [row("late", -1, {})] });
        await assertRejects(() => session.flush(writes), IncorrectUsageError, "has ended");
        await assertRejects(() => session.commit(writes), IncorrectUsageError, "has ended");
        await session.rollback();
      }
      assertEquals(await stored("late"), undefined);
      await soon(commit({ rows: [row("o1", 0, {})] }), "A commit after all of them");
    },
  );

  rule("commits nothing when there is nothing to commit", async ({ provider, table }) => {
    assertEquals((await provider.session().commit(writeSet({}))).positions.length, 0);
    const session = provider.session();
    await session.load(table, "o1");
    await session.commit(writeSet({}));
  });

  rule("cannot commit after a flush of it was refused", async ({ provider, row, stored, commit }) => {
    await commit({ rows: [row("o1", -1, {})] });
    const session = provider.session();
    const flush = writeSet({ rows: [row("o2", -1, {}), row("o1", -1, {})] });
    await assertRejects(() => session.flush(flush), ExpectedVersionError);
    await assertRejects(() => session.commit(writeSet({ rows: [row("o3", -1, {})] })), ProteanError);
    await session.rollback();
    assertEquals([await stored("o2"), await stored("o3")], [undefined, undefined]);
  });

  rule("is over after the drain has cut it", async ({ provider, row, stored, table, commit }) => {
    const untouched = provider.session();
    const flushed = provider.session();
    await flushed.flush(writeSet({ rows: [row("o1", -1, {})] }));
    for (const session of [untouched, flushed]) {
      session.abandon();
      session.abandon();
      const mark = { handler: "h", type: "t", messageId: "m" };
      const writes = writeSet({ rows: [row("o1", -1, {})] });
      for (
        const call of [
          () => session.load(table, "o1"),
          () => session.list(table, { limit: 1 }),
          () => session.mark(mark),
          () => session.flush(writes),
          () => session.commit(writes),
          // Nothing is left to write, but what was flushed is lost.
          () => session.commit(writeSet({})),
        ]
      ) await assertRejects(call, IncorrectUsageError, "has ended");
      await session.rollback();
    }
    assertEquals(await stored("o1"), undefined);
    await soon(commit({ rows: [row("o1", -1, {})] }), "A commit after the cut one");
  });

  rule("cuts a session that waits for another, and only that one", async ({ provider, row, stored }) => {
    const first = provider.session();
    await first.flush(writeSet({ rows: [row("o1", -1, { by: "first" })] }));
    const second = provider.session();
    const waiting = second.commit(writeSet({ rows: [row("o1", -1, { by: "second" })] })).then(
      () => "committed",
      (reason) => reason,
    );
    // Memory does not wait: there the second has committed before it can be cut, and the first one is
    // refused.
    const won = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 50))]);
    second.abandon();
    if (won === "committed") {
      await assertRejects(() => first.commit(writeSet({})), ExpectedVersionError);
      return;
    }
    assert(await soon(waiting, "The end of the cut session") instanceof ProteanError);
    await first.commit(writeSet({}));
    assertEquals(JSON.parse((await stored("o1"))?.state ?? "null"), { by: "first" });
  });

  rule("holds nothing once it was cut in the middle of a call, whatever the moment", async (rig) => {
    const { provider, row, commit } = rig;
    for (let turns = 0; turns < 16; turns++) {
      const session = provider.session();
      const call = session.flush(writeSet({ rows: [row("o1", undefined, { by: "cut" })] }));
      call.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      session.abandon();
      await soon(call.catch(() => {}), "The end of the call");
      // Nobody has rolled it back.
      await soon(commit({ rows: [row("o1", undefined, { turns })] }), "A commit after the cut one");
    }
  });

  rule("takes nothing from others before its first statement", async ({ provider, row, commit }) => {
    const idle = Array.from({ length: 100 }, () => provider.session());
    await soon(commit({ rows: [row("o1", -1, {})] }), "A commit beside idle sessions");
    for (const session of idle) await session.rollback();
  });

  rule("commits a hundred units of work at once", async ({ provider, other, row, commit, table }) => {
    const works = Array.from(
      { length: 100 },
      (_, index) =>
        commit({
          rows: [row(`o${index}`, -1, { index })],
          outbox: [outboxInsert(`shop::order-${index}`)],
        }, index % 2 ? other : provider),
    );
    await soon(Promise.all(works), "A hundred commits");
    const rows = await inSession(provider, (session) => session.list(table, { limit: 200 }));
    assertEquals(rows.length, 100);
    assertEquals((await provider.outbox.stats()).counts.pending, 100);
  });

  rule(
    "never deadlocks: units of work that cross each other end",
    async ({ provider, other, row, commit, stored }) => {
      await commit({ rows: [row("a", -1, {}), row("b", -1, {})] });
      const cross = async (index: number): Promise<number> => {
        const ids = index % 2 ? ["a", "b"] : ["b", "a"];
        for (let tries = 1; tries <= 100; tries++) {
          const session = (index % 3 ? provider : other).session();
          try {
            for (const id of ids) await session.flush(writeSet({ rows: [row(id, undefined, { index })] }));
            await session.commit(writeSet({}));
            return tries;
          } catch (error) {
            assert(error instanceof ProteanError, `${error}`);
            await session.rollback();
          }
        }
        throw new Error("A unit of work never got through.");
      };
      await soon(Promise.all(Array.from({ length: 8 }, (_, index) => cross(index))), "The end of all");
      assertEquals([(await stored("a"))?.version, (await stored("b"))?.version], [8, 8]);
    },
  );
}
