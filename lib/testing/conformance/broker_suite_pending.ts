/**
 * Rules of owning, counting, claiming and handing back (delivery 1, 2, 7).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { PendingEntry } from "../../adapters/ports.ts";
import { at, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

const HOUR = 3_600_000;

/** Both were asked at one moment, so that a slow machine makes no difference. */
function assertOlder(older: PendingEntry | undefined, younger: PendingEntry | undefined, ms: number): void {
  assert(older && younger);
  // One millisecond for the rounding of two clocks.
  assert(older.idleMs - younger.idleMs >= ms - 1, `idle ${older.idleMs} and ${younger.idleMs}`);
}

export function pendingRules(rule: Rule): void {
  rule(
    "lists what is pending in order, by consumer, by place and by limit",
    async ({ publish, consumer }) => {
      const ids = await publish(...numbered(6));
      const [a, b] = [await consumer("a"), await consumer("b")];
      await a.read({ count: 2 });
      await b.read({ count: 2 });
      await a.read({ count: 2 });
      await a.ack([at(ids, 4)]);
      const all = await b.pending({ limit: 9 });
      assertEquals(all.map(({ id }) => id), [0, 1, 2, 3, 5].map((index) => at(ids, index)));
      assertEquals(all.map((entry) => entry.consumer), ["a", "a", "b", "b", "a"]);
      assertEquals(all.map(({ count }) => count), [1, 1, 1, 1, 1]);
      const ofA = await b.pending({ limit: 2, consumer: "a", after: at(ids, 0) });
      assertEquals(ofA.map(({ id }) => id), [at(ids, 1), at(ids, 5)]);
      assertEquals((await b.pending({ limit: 2 })).map(({ id }) => id), ids.slice(0, 2));
      assertEquals(await b.pending({ limit: 9, after: at(ids, 5) }), []);
      assertEquals(await b.pending({ limit: 9, consumer: "nobody" }), []);
    },
  );

  rule("tells how long an entry has been idle, and lists those idle long enough", async (rig) => {
    const { publish, consumer, elapse } = rig;
    const ids = await publish("1", "2");
    const a = await consumer("a");
    await a.read({ count: 1 });
    await elapse(1000);
    await a.read({ count: 1 });
    const [older, younger] = await a.pending({ limit: 9 });
    assertOlder(older, younger, 1000);
    assertEquals((await a.pending({ limit: 9, minIdleMs: 900 })).map(({ id }) => id), [at(ids, 0)]);
  });

  rule("refreshes what is still owned, never counting, and returns the rest", async (rig) => {
    const { publish, consumer, elapse, other } = rig;
    const ids = await publish(...numbered(4));
    const [a, b] = [await consumer("a"), await consumer("b", { broker: other })];
    await a.read({ count: 3 });
    await b.claim([{ id: at(ids, 1), from: "a" }], 0);
    await a.ack([at(ids, 2)]);
    await elapse(100);
    assertEquals(await a.refresh([...ids, "1-1"]), [...ids.slice(1), "1-1"]);
    const [own, taken] = await a.pending({ limit: 9 });
    assertOlder(taken, own, 100);
    assertEquals([own?.count, taken?.count, taken?.consumer], [1, 1, "b"]);
    assertEquals(await a.refresh([]), []);
  });

  rule("counts a started attempt and resets its idle time, for the owner alone", async (rig) => {
    const { publish, consumer, elapse, other } = rig;
    const ids = await publish("1", "2", "3");
    const [a, b] = [await consumer("a"), await consumer("b", { broker: other })];
    await a.read({ count: 2 });
    await elapse(100);
    assertEquals(await a.attempt(at(ids, 0)), 2);
    assertEquals(await a.attempt(at(ids, 0)), 3);
    assertEquals(await b.attempt(at(ids, 0)), undefined);
    assertEquals(await a.attempt(at(ids, 2)), undefined);
    const [first, second] = await a.pending({ limit: 9 });
    assertOlder(second, first, 100);
    assertEquals([first?.count, second?.count], [3, 1]);
    await a.ack([at(ids, 0)]);
    assertEquals(await a.attempt(at(ids, 0)), undefined);
  });

  rule(
    "hands a claimed entry over with its count, once (S48)",
    async ({ publish, consumer, other, elapse }) => {
      const ids = await publish("1", "2");
      const dead = await consumer("dead");
      await dead.read({ count: 2 });
      await dead.attempt(at(ids, 0));
      const b = await consumer("b", { broker: other });
      const entries = ids.map((id) => ({ id, from: "dead" }));
      assertEquals(await b.claim(entries, HOUR), []);
      await elapse(60);
      assertEquals(await b.claim(entries, 50), [
        { id: at(ids, 0), data: "1", count: 2, trimmed: false },
        { id: at(ids, 1), data: "2", count: 1, trimmed: false },
      ]);
      assertEquals(await b.claim(entries, 0), []);
      const listed = await b.pending({ limit: 9 });
      assertEquals(listed.map((entry) => [entry.id, entry.consumer, entry.count]), [
        [at(ids, 0), "b", 2],
        [at(ids, 1), "b", 1],
      ]);
      assertEquals(await b.ack(ids), 2);
      assertEquals(textsOf(await b.read({ count: 9 })), []);
    },
  );

  rule("claims only from the consumer that was named", async ({ publish, consumer }) => {
    const [id = ""] = await publish("1");
    const [a, b, c] = [await consumer("a"), await consumer("b"), await consumer("c")];
    await a.read({ count: 1 });
    assertEquals(await b.claim([{ id, from: "c" }, { id: "1-1", from: "a" }], 0), []);
    assertEquals((await b.claim([{ id, from: "a" }], 0)).length, 1);
    assertEquals(await c.claim([{ id, from: "a" }], 0), []);
    assertEquals((await a.pending({ limit: 9 }))[0]?.consumer, "b");
    assertEquals(await a.claim([], 0), []);
  });

  rule("gives an entry that two claim at once to one of them", async ({ publish, consumer, other }) => {
    const ids = await publish(...numbered(20));
    await (await consumer("dead")).read({ count: 20 });
    const claimers = [await consumer("a"), await consumer("b", { broker: other })];
    const entries = ids.map((id) => ({ id, from: "dead" }));
    const claimed = await Promise.all(claimers.map((claimer) => claimer.claim(entries, 0)));
    assertEquals(claimed.flatMap(idsOf).sort(), [...ids].sort());
  });

  rule("starts the idle time of a claimed entry again", async ({ publish, consumer, elapse }) => {
    const [id = ""] = await publish("1", "2");
    await (await consumer("a")).read({ count: 2 });
    await elapse(100);
    const b = await consumer("b");
    assertEquals((await b.claim([{ id, from: "a" }], 100)).length, 1);
    const [claimed, left] = await b.pending({ limit: 2 });
    assertOlder(left, claimed, 100);
    assertEquals(await (await consumer("c")).claim([{ id, from: "b" }], HOUR), []);
  });

  rule("lets a consumer claim its own entry back", async ({ publish, consumer }) => {
    const [id = ""] = await publish("1");
    const a = await consumer("a");
    await a.read({ count: 1 });
    assertEquals(textsOf(await a.claim([{ id, from: "a" }], 0)), ["1"]);
  });

  rule(
    "leaves the former owner nothing to do with a claimed entry",
    async ({ publish, consumer, broker, stream }) => {
      const [id = ""] = await publish("1");
      const [a, b] = [await consumer("a"), await consumer("b")];
      await a.read({ count: 1 });
      await b.claim([{ id, from: "a" }], 0);
      assertEquals(await a.refresh([id]), [id]);
      assertEquals(await a.attempt(id), undefined);
      assertEquals(await a.deadLetter(id, `${stream}:dlq`, "x"), false);
      await a.release([{ id, count: 9 }]);
      const [entry] = await a.pending({ limit: 9 });
      assertEquals([entry?.consumer, entry?.count], ["b", 1]);
      assertEquals(await broker.length(`${stream}:dlq`), 0);
    },
  );

  rule("releases entries so that anyone claims them at once, with the given count", async (rig) => {
    const { publish, consumer, other } = rig;
    const ids = await publish("1", "2", "3");
    const a = await consumer("a");
    await a.read({ count: 3 });
    await a.attempt(at(ids, 0));
    await a.release([{ id: at(ids, 0), count: 1 }, { id: at(ids, 1), count: 0 }]);
    const released = await a.pending({ limit: 9, minIdleMs: HOUR });
    assertEquals(released.map((entry) => [entry.id, entry.count]), [[at(ids, 0), 1], [at(ids, 1), 0]]);
    const b = await consumer("b", { broker: other });
    const claimed = await b.claim(ids.map((id) => ({ id, from: "a" })), HOUR);
    assertEquals(claimed.map(({ id, count }) => [id, count]), [[at(ids, 0), 1], [at(ids, 1), 0]]);
    assertEquals(await b.attempt(at(ids, 1)), 1);
  });

  rule(
    "keeps how often, and how long, a handler wants its entry later, for who takes it over",
    async (rig) => {
      const { publish, consumer, other, elapse } = rig;
      const ids = await publish("1", "2", "3");
      const a = await consumer("a");
      // Not every broker keeps it.
      if (!a.postpone) return;
      await a.read({ count: 3 });
      const [first, second, third] = [at(ids, 0), at(ids, 1), at(ids, 2)];
      assertEquals(await a.postpone(first, { times: 1, ms: HOUR }, 1), true);
      assertEquals(await a.postpone(first, { times: 2, ms: 2 * HOUR }, 0), true);
      assertEquals(await a.postpone(third, { times: 7, ms: 1 }, 0), true);
      assertEquals((await a.pending({ limit: 9 })).map(({ count }) => count), [0, 1, 0]);
      await elapse(20);
      const b = await consumer("b", { broker: other });
      const claimed = await b.claim(ids.map((id) => ({ id, from: "a" })), 0);
      assertEquals(claimed.map(({ postponed }) => postponed?.times), [2, undefined, 7]);
      const left = claimed.map(({ postponed }) => postponed?.ms);
      assert(left[0] !== undefined && left[0] > HOUR && left[0] <= 2 * HOUR - 19, `${left[0]} ms are left`);
      assertEquals(left[2], 0);
      // What is another's is not postponed, nor counted.
      assertEquals(await a.postpone(second, { times: 1, ms: 5 }, 0), false);
      assertEquals(await a.postpone("1-1", { times: 1, ms: 5 }, 0), false);
      assertEquals((await b.pending({ limit: 9 })).map(({ count }) => count), [0, 1, 0]);
      // Once it is over, an entry that comes by the same id is a new one.
      await b.ack([third]);
      await b.forgetPostponed?.([third, second]);
      const again = await b.claim([{ id: first, from: "b" }], 0);
      assertEquals(again.map(({ postponed }) => postponed?.times), [2]);
    },
  );

  rule("reports a claimed entry that the stream no longer holds and forgets it (PIPE-7)", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const ids = await publish("1", "2");
    const [a, b] = [await consumer("a"), await consumer("b")];
    await a.read({ count: 2 });
    assertEquals(await broker.deadLetters.remove(stream, [at(ids, 0)]), 1);
    assertEquals((await a.pending({ limit: 9 })).length, 2);
    assertEquals(await b.claim(ids.map((id) => ({ id, from: "a" })), 0), [
      { id: at(ids, 0), data: undefined, count: 1, trimmed: true },
      { id: at(ids, 1), data: "2", count: 1, trimmed: false },
    ]);
    assertEquals((await b.pending({ limit: 9 })).map(({ id }) => id), [at(ids, 1)]);
  });

  rule("counts an entry that the stream no longer holds as lost once its owner touches it", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const ids = await publish("1", "2", "3", "4", "5");
    const a = await consumer("a");
    await a.read({ count: 5 });
    await broker.deadLetters.remove(stream, ids);
    assertEquals(await a.refresh([at(ids, 0)]), [at(ids, 0)]);
    assertEquals(await a.attempt(at(ids, 1)), undefined);
    await a.release([{ id: at(ids, 2), count: 0 }]);
    assertEquals((await a.pending({ limit: 9 })).map(({ id }) => id), ids.slice(3));
    assertEquals(await a.ack([at(ids, 3)]), 1);
    assertEquals(await a.deadLetter(at(ids, 4), `${stream}:dlq`, "5"), true);
    assertEquals(await a.pending({ limit: 9 }), []);
  });
}
