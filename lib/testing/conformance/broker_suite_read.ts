/**
 * Rules of groups, reading and acknowledging.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { GroupMissingError } from "../../errors.ts";
import { at, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

export function readRules(rule: Rule): void {
  rule("creates a group once, whoever asks", async ({ broker, other, stream }) => {
    const asked = Array.from(
      { length: 6 },
      (_, index) =>
        (index % 2 ? other : broker).group({ stream, group: "g1", consumer: `c${index}` }).ensure(),
    );
    assertEquals((await Promise.all(asked)).filter((created) => created).length, 1);
    assertEquals((await broker.groups(stream)).map(({ group }) => group), ["g1"]);
  });

  rule("lets a new group read from the beginning", async ({ publish, consumer }) => {
    await publish("1", "2");
    const late = await consumer("a");
    await publish("3");
    assertEquals(textsOf(await late.read({ count: 9 })), ["1", "2", "3"]);
  });

  rule("delivers at most count entries, in order, each once", async ({ publish, consumer }) => {
    const ids = await publish(...numbered(250));
    const a = await consumer("a");
    const read: string[] = [];
    for (let batch = await a.read({ count: 40 }); batch.length > 0; batch = await a.read({ count: 40 })) {
      assert(batch.length <= 40);
      read.push(...idsOf(batch));
    }
    assertEquals(read, [...ids]);
  });

  rule("returns nothing at once when nothing is new", async ({ consumer }) => {
    assertEquals(await (await consumer("a")).read({ count: 9 }), []);
  });

  rule("gives each entry to one consumer of a group and to every group", async (rig) => {
    const { publish, consumer, other } = rig;
    await publish(...numbered(4));
    const a = await consumer("a");
    const b = await consumer("b", { broker: other });
    const elsewhere = await consumer("a", { group: "g2", broker: other });
    assertEquals(textsOf(await a.read({ count: 2 })), ["1", "2"]);
    assertEquals(textsOf(await b.read({ count: 9 })), ["3", "4"]);
    assertEquals(textsOf(await elsewhere.read({ count: 9 })), ["1", "2", "3", "4"]);
  });

  rule("gives each entry once to consumers that read at the same time", async (rig) => {
    const { publish, consumer, broker, other } = rig;
    const ids = await publish(...numbered(300));
    const read = await Promise.all([broker, other, broker, other].map(async (instance, index) => {
      const reader = await consumer(`c${index}`, { broker: instance });
      const mine: string[] = [];
      let last = await reader.read({ count: 7 });
      while (last.length > 0) {
        mine.push(...idsOf(last));
        last = await reader.read({ count: 7, ack: idsOf(last) });
      }
      return mine;
    }));
    assertEquals(read.flat().sort(), [...ids].sort());
    assertEquals((await (await consumer("c0")).info())?.pending, 0);
  });

  rule("refuses to read where stream or group is missing", async ({ publish, consumer }) => {
    const a = await consumer("a", { ensure: false });
    await assertRejects(() => a.read({ count: 1 }), GroupMissingError);
    await publish("1");
    await assertRejects(() => a.read({ count: 1 }), GroupMissingError);
    assertEquals(await a.ensure(), true);
    assertEquals(textsOf(await a.read({ count: 1 })), ["1"]);
  });

  rule("reads on after its stream vanished and the group was created again (S49)", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    await publish("1");
    const a = await consumer("a");
    await a.read({ count: 1 });
    await broker.deadLetters.purge(stream);
    await assertRejects(() => a.read({ count: 1 }), GroupMissingError);
    assertEquals(await a.ensure(), true);
    await publish("2");
    assertEquals(textsOf(await a.read({ count: 9 })), ["2"]);
  });

  rule("returns for a group that vanished what it returns for one that owns nothing", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const [id = ""] = await publish("1");
    const a = await consumer("a");
    await a.read({ count: 1 });
    await broker.deadLetters.purge(stream);
    assertEquals(await a.ack([id]), 0);
    assertEquals(await a.refresh([id]), [id]);
    assertEquals(await a.attempt(id), undefined);
    assertEquals(await a.pending({ limit: 9 }), []);
    assertEquals(await a.claim([{ id, from: "a" }], 0), []);
    assertEquals(await a.deadLetter(id, `${stream}:dlq`, "x"), false);
    await a.release([{ id, count: 0 }]);
    assertEquals(await a.trim(0), 0);
    assertEquals(await a.sweep(0), []);
    assertEquals(await a.info(), undefined);
    assertEquals(await broker.length(`${stream}:dlq`), 0);
  });

  rule(
    "acknowledges only what is pending in the group, and once (S9)",
    async ({ publish, consumer, stream }) => {
      const [first = "", second = ""] = await publish("1", "2", "3");
      const a = await consumer("a");
      const elsewhere = await consumer("a", { group: "g2" });
      const elsestream = await consumer("a", { stream: `${stream}_second` });
      await a.read({ count: 2 });
      assertEquals(await elsewhere.ack([first]), 0);
      assertEquals(await elsestream.ack([first]), 0);
      assertEquals(await a.ack(["1-1"]), 0);
      assertEquals(await a.ack([]), 0);
      assertEquals(await a.ack([first, first]), 1);
      assertEquals(await a.ack([first, second]), 1);
      assertEquals(await a.pending({ limit: 9 }), []);
    },
  );

  rule("lets any consumer of the group acknowledge", async ({ publish, consumer, other }) => {
    const ids = await publish("1", "2");
    await (await consumer("a")).read({ count: 9 });
    assertEquals(await (await consumer("b", { broker: other })).ack(ids), 2);
  });

  rule("acknowledges together with a read, also one that finds nothing", async ({ publish, consumer }) => {
    await publish("1", "2");
    const a = await consumer("a");
    const first = await a.read({ count: 1 });
    const second = await a.read({ count: 1, ack: idsOf(first) });
    assertEquals(textsOf(second), ["2"]);
    assertEquals((await a.pending({ limit: 9 })).map(({ id }) => id), idsOf(second));
    assertEquals(await a.read({ count: 1, ack: idsOf(second) }), []);
    assertEquals(await a.pending({ limit: 9 }), []);
  });

  rule(
    "acknowledges and delivers nothing when the signal has aborted before",
    async ({ publish, consumer }) => {
      await publish("1", "2");
      const a = await consumer("a");
      const ack = idsOf(await a.read({ count: 1 }));
      assertEquals(await a.read({ count: 1, blockMs: 60_000, ack, signal: AbortSignal.abort() }), []);
      assertEquals(await a.pending({ limit: 9 }), []);
      assertEquals(textsOf(await a.read({ count: 9 })), ["2"]);
    },
  );

  rule("acknowledges before it waits", async ({ publish, consumer }) => {
    await publish("1");
    const a = await consumer("a");
    const ack = idsOf(await a.read({ count: 1 }));
    const stop = new AbortController();
    const reading = a.read({ count: 1, blockMs: 60_000, ack, signal: stop.signal });
    const b = await consumer("b");
    // The read travels by itself: ask until it has arrived.
    while ((await b.pending({ limit: 1 })).length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    assertEquals(await reading, []);
  });

  rule("wakes a waiting read when an entry comes, from here or elsewhere", async (rig) => {
    const { publish, consumer, other, stream, elapse } = rig;
    const a = await consumer("a");
    for (const publisher of [() => publish("x"), () => other.publish([{ stream, data: "x" }])]) {
      const reading = a.read({ count: 9, blockMs: 30_000 });
      await elapse(20);
      await publisher();
      await elapse(20);
      assertEquals(textsOf(await reading), ["x"]);
    }
  });

  rule("ends a waiting read with nothing when its time is up", async ({ consumer, elapse }) => {
    const a = await consumer("a");
    const reading = a.read({ count: 9, blockMs: 50 });
    await elapse(100);
    assertEquals(await reading, []);
  });

  rule("ends a waiting read with nothing when its signal aborts, and reads on", async (rig) => {
    const { publish, consumer, elapse } = rig;
    const a = await consumer("a");
    const stop = new AbortController();
    const reading = a.read({ count: 9, blockMs: 60_000, signal: stop.signal });
    await elapse(20);
    stop.abort();
    assertEquals(await reading, []);
    await publish("1");
    assertEquals(textsOf(await a.read({ count: 9, blockMs: 60_000 })), ["1"]);
  });

  rule("wakes one of two waiting readers for one entry", async ({ publish, consumer, other, elapse }) => {
    const readers = [await consumer("a"), await consumer("b", { broker: other })];
    const stop = new AbortController();
    const reading = readers.map((reader) => reader.read({ count: 9, blockMs: 60_000, signal: stop.signal }));
    await elapse(20);
    await publish("1");
    await elapse(20);
    await Promise.race(reading.map(async (read) => assertEquals(textsOf(await read), ["1"])));
    stop.abort();
    assertEquals((await Promise.all(reading)).flat().length, 1);
  });

  rule("does not stay waiting when the stream vanishes", async ({ consumer, broker, stream, elapse }) => {
    const a = await consumer("a");
    const reading = a.read({ count: 1, blockMs: 300 }).then(() => "nothing", (error) => error);
    await elapse(20);
    await broker.deadLetters.purge(stream);
    await elapse(300);
    const outcome = await reading;
    assert(outcome === "nothing" || outcome instanceof GroupMissingError, String(outcome));
    await assertRejects(() => a.read({ count: 1 }), GroupMissingError);
  });

  rule("leaves entries pending when a consumer closes, and closes twice", async ({ publish, consumer }) => {
    await publish("1");
    const a = await consumer("a");
    const read = await a.read({ count: 1 });
    await a.close();
    await a.close();
    const [entry] = await (await consumer("b")).pending({ limit: 9 });
    assertEquals(entry?.id, at(read, 0).id);
    assertEquals(entry?.consumer, "a");
  });
}
