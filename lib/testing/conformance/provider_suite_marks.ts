/**
 * Rules of idempotency marks: one effect for one (handler, type, message id) (PIPE-13, delivery 10, 13, 16).
 *
 * @module
 */
import { assert, assertEquals, assertFalse, assertRejects, assertStringIncludes } from "@std/assert";
import { type BaseProvider, type Mark, markMany, MOST_AT_ONCE } from "../../adapters/ports.ts";
import { DuplicateMessageError, MessageConflictError } from "../../errors.ts";
import { inSession, type Rule, soon, writeSet } from "./provider_suite_rig.ts";

const MARK: Mark = {
  handler: "shop.OrderHandler",
  type: "Shop.OrderPlaced.v1",
  messageId: "shop::order-1-0.1",
};

export function markRules(rule: Rule): void {
  const isFree = (provider: BaseProvider, mark: Mark) => inSession(provider, (session) => session.mark(mark));
  const take = async (provider: BaseProvider, mark: Mark) => {
    const session = provider.session();
    assert(await session.mark(mark));
    await session.commit(writeSet({}));
  };

  rule("takes a mark once", async ({ provider, other }) => {
    await take(provider, MARK);
    assertFalse(await isFree(provider, MARK));
    assertFalse(await isFree(other, MARK));
  });

  rule("tells marks apart by handler, type and message", async ({ provider }) => {
    await take(provider, MARK);
    await take(provider, { ...MARK, handler: "shop.Other" });
    await take(provider, { ...MARK, type: "Shop.OrderPlaced.v2" });
    await take(provider, { ...MARK, messageId: "shop::order-1-0.2" });
  });

  rule("knows a mark that its own session has taken", async ({ provider }) => {
    await inSession(provider, async (session) => {
      assert(await session.mark(MARK));
      assertFalse(await session.mark(MARK));
    });
  });

  rule("tells a repetition from another message under the same id, by its checksum", async (rig) => {
    const { provider, other } = rig;
    await take(provider, { ...MARK, checksum: "one" });
    assertFalse(await isFree(other, { ...MARK, checksum: "one" }));
    for (const each of [provider, other]) {
      const error = await assertRejects(
        () => isFree(each, { ...MARK, checksum: "two" }),
        MessageConflictError,
      );
      assertStringIncludes(error.message, MARK.messageId);
    }
    // Where either has none, the id alone counts.
    assertFalse(await isFree(provider, MARK));
    await take(provider, { ...MARK, messageId: "bare" });
    assertFalse(await isFree(provider, { ...MARK, messageId: "bare", checksum: "one" }));
    // In one session, and of two at once.
    await inSession(provider, async (session) => {
      assert(await session.mark({ ...MARK, messageId: "new", checksum: "one" }));
      await assertRejects(
        () => session.mark({ ...MARK, messageId: "new", checksum: "two" }),
        MessageConflictError,
      );
    });
    const deliver = async (checksum: string): Promise<string> => {
      const session = provider.session();
      try {
        if (!await session.mark({ ...MARK, messageId: "both", checksum })) return "known";
        await session.commit(writeSet({}));
        return "effect";
      } catch (error) {
        if (error instanceof MessageConflictError) return "conflict";
        throw error;
      } finally {
        await session.rollback();
      }
    };
    const both = soon(Promise.all([deliver("one"), deliver("two")]), "The end of two deliveries");
    assertEquals((await both).toSorted(), ["conflict", "effect"]);
  });

  rule("takes many marks at once, each for itself: claimed, handled, or another message's", async (rig) => {
    const { provider, other } = rig;
    const named = (messageId: string, checksum?: string): Mark => ({ ...MARK, messageId, checksum });
    const many = (on: BaseProvider, marks: readonly Mark[]) =>
      inSession(on, (session) => markMany(session, marks));
    await take(provider, named("seen", "one"));
    await take(provider, named("bare"));
    const marks = [
      named("z"),
      named("seen", "one"),
      named("a", "one"),
      named("seen", "two"),
      named("bare", "x"),
    ];
    const [own, ...rest] = marks;
    assert(own);
    for (const on of [provider, other]) {
      assertEquals(await many(on, [own, ...rest.slice(0, 2)]), ["claimed", "handled", "claimed"]);
      assertEquals(await many(on, [own, ...rest.slice(2)]), ["claimed", "conflict", "handled"]);
      assertEquals(await many(on, []), []);
    }
    // Those that were claimed are committed with the session, and no others.
    const session = provider.session();
    assertEquals(await markMany(session, [named("z"), named("a", "one"), named("seen", "two")]), [
      ...["claimed", "claimed", "conflict"] as const,
    ]);
    assertFalse(await session.mark(named("z")));
    await session.commit(writeSet({}));
    assertEquals(await many(other, [named("a", "one"), named("z"), named("b")]), [
      ...["handled", "handled", "claimed"] as const,
    ]);
    const large = Array.from({ length: MOST_AT_ONCE + 5 }, (_, n) => named(`many ${n}`));
    assertEquals(new Set(await many(provider, large)), new Set(["claimed"]));
    assert(await isFree(provider, named("many 1")));
  });

  rule("commits one effect of many batches at once that share their messages", async (rig) => {
    const { provider, other, row, stored } = rig;
    const marks = ["c", "a", "b"].map((messageId): Mark => ({ ...MARK, messageId }));
    const deliver = async (index: number): Promise<string> => {
      const session = (index % 2 ? other : provider).session();
      try {
        const outcomes = await markMany(session, index % 2 ? marks : marks.toReversed());
        if (outcomes.every((outcome) => outcome === "handled")) return "known";
        await session.commit(writeSet({ rows: [row("effect", undefined, { index })] }));
        return "effect";
      } catch (error) {
        if (error instanceof DuplicateMessageError) return "refused";
        throw error;
      } finally {
        await session.rollback();
      }
    };
    const results = await soon(
      Promise.all(Array.from({ length: 8 }, (_, n) => deliver(n))),
      "The end of all",
    );
    assertEquals(results.filter((result) => result === "effect").length, 1);
    assertEquals((await stored("effect"))?.version, 0);
  });

  rule("gives a mark back when the unit of work does not commit", async ({ provider, commit, row }) => {
    assert(await isFree(provider, MARK));
    const failing = provider.session();
    await commit({ rows: [row("o1", -1, {})] });
    assert(await failing.mark(MARK));
    await failing.commit(writeSet({ rows: [row("o1", -1, {})] })).catch(() => {});
    const cut = provider.session();
    assert(await cut.mark(MARK));
    cut.abandon();
    assert(await soon(isFree(provider, MARK), "The answer to a mark"));
  });

  rule("commits one effect of many deliveries at once", async ({ provider, other, row, stored }) => {
    const deliver = async (index: number): Promise<string> => {
      const session = (index % 2 ? other : provider).session();
      try {
        if (!await session.mark(MARK)) return "known";
        await session.commit(writeSet({ rows: [row("effect", undefined, { index })] }));
        return "effect";
      } catch (error) {
        if (error instanceof DuplicateMessageError) return "refused";
        throw error;
      } finally {
        await session.rollback();
      }
    };
    const deliveries = Array.from({ length: 10 }, (_, index) => deliver(index));
    const results = await soon(Promise.all(deliveries), "The end of ten deliveries");
    assertEquals(results.filter((result) => result === "effect").length, 1);
    assertEquals((await stored("effect"))?.version, 0);
  });

  rule("forgets marks that are old enough, some at a time", async ({ provider, clock, elapse }) => {
    for (let index = 0; index < 5; index++) await take(provider, { ...MARK, messageId: `old ${index}` });
    await elapse(50);
    const before = clock.now();
    await elapse(50);
    await take(provider, { ...MARK, messageId: "young" });
    assertEquals(await provider.cleanMarks(before - 60_000, 100), 0);
    assertEquals(await provider.cleanMarks(before, 3), 3);
    assertEquals(await provider.cleanMarks(before, 3), 2);
    assertEquals(await provider.cleanMarks(before, 3), 0);
    assertFalse(await isFree(provider, { ...MARK, messageId: "young" }));
    assert(await isFree(provider, { ...MARK, messageId: "old 0" }));
  });
}
