/**
 * Rules of trimming (delivery 8, PIPE-8). The cap is soft: an adapter may keep up to a hundred entries more
 * than it must.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { at, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

export function retentionRules(rule: Rule): void {
  rule("trims the oldest entries beyond the cap that every group is done with", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const ids = await publish(...numbered(350));
    const a = await consumer("a");
    await a.ack(idsOf(await a.read({ count: 350 })));
    const trimmed = await a.trim(50);
    assert(trimmed >= 200 && trimmed <= 300, `${trimmed} trimmed`);
    assertEquals(await broker.length(stream), 350 - trimmed);
    const late = await consumer("a", { group: "g2" });
    assertEquals(idsOf(await late.read({ count: 400 })), ids.slice(trimmed));
    const [next = ""] = await publish("351");
    assert(!ids.includes(next));
    assertEquals(textsOf(await a.read({ count: 9 })), ["351"]);
  });

  rule("trims nothing that a group has not read (S41)", async ({ publish, consumer }) => {
    const ids = await publish(...numbered(10));
    const a = await consumer("a");
    const b = await consumer("b", { group: "g2" });
    await a.ack(idsOf(await a.read({ count: 10 })));
    await b.ack(idsOf(await b.read({ count: 3 })));
    assert(await a.trim(1) <= 3);
    assertEquals(idsOf(await b.read({ count: 10 })), ids.slice(3));
  });

  rule("trims nothing before any group has read (S42)", async ({ publish, consumer, broker, stream }) => {
    await publish(...numbered(250));
    const a = await consumer("a");
    await consumer("a", { group: "g2" });
    assertEquals(await a.trim(1), 0);
    assertEquals(await broker.length(stream), 250);
  });

  rule("trims nothing that is read and not acknowledged (S45)", async ({ publish, consumer }) => {
    const ids = await publish(...numbered(250));
    const [a, b] = [await consumer("a"), await consumer("b")];
    const read = idsOf(await a.read({ count: 250 }));
    await a.ack(read.filter((id) => id !== at(ids, 2)));
    assert(await a.trim(1) <= 2);
    const claimed = await b.claim([{ id: at(ids, 2), from: "a" }], 0);
    assertEquals(textsOf(claimed), ["3"]);
  });

  rule(
    "trims nothing that one group has pending, however far all have read, and goes on once it is done",
    async (rig) => {
      const { publish, consumer, broker, stream } = rig;
      const ids = await publish(...numbered(350));
      const a = await consumer("a");
      const b = await consumer("b", { group: "g2" });
      await a.ack(idsOf(await a.read({ count: 350 })));
      const read = idsOf(await b.read({ count: 350 }));
      await b.ack(read.filter((id) => id !== at(ids, 120) && id !== at(ids, 300)));
      const first = await a.trim(1);
      assert(first <= 120, `${first} trimmed`);
      // Somebody else of the group has it now: it is pending all the same.
      const c = await consumer("c", { group: "g2" });
      assertEquals(textsOf(await c.claim([{ id: at(ids, 120), from: "b" }], 0)), ["121"]);
      assertEquals(await b.trim(1) + first <= 120, true);
      await c.ack([at(ids, 120)]);
      const second = await a.trim(1);
      assert(second > 0 && second + first <= 300, `${second} trimmed`);
      assertEquals((await b.pending({ limit: 9 })).map(({ id }) => id), [at(ids, 300)]);
      // A group that is made now has everything before it, and nothing of that goes.
      const late = await consumer("late", { group: "g3" });
      const length = await broker.length(stream);
      await b.ack([at(ids, 300)]);
      assertEquals(await a.trim(1), 0);
      assertEquals((await late.read({ count: 400 })).length, length);
    },
  );

  rule("trims nothing under the cap, without groups, or where there is no stream", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const lone = await consumer("a", { ensure: false });
    assertEquals(await lone.trim(0), 0);
    await publish(...numbered(250));
    assertEquals(await lone.trim(1), 0);
    await lone.ensure();
    await lone.ack(idsOf(await lone.read({ count: 250 })));
    assertEquals(await lone.trim(250), 0);
    assertEquals(await lone.trim(1000), 0);
    assertEquals(await broker.length(stream), 250);
  });

  rule("trims at most ten thousand entries at once", async ({ publish, consumer, broker, stream }) => {
    await publish(...numbered(12_000));
    const a = await consumer("a");
    for (let batch = await a.read({ count: 4000 }); batch.length > 0;) {
      batch = await a.read({ count: 4000, ack: idsOf(batch) });
    }
    const first = await a.trim(0);
    assert(first > 9000 && first <= 10_000, `${first} trimmed`);
    const second = await a.trim(0);
    assert(second >= 1900, `${second} trimmed`);
    assertEquals(await broker.length(stream), 12_000 - first - second);
  });
}
