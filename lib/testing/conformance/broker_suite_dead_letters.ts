/**
 * Rules of dead letters and replay lanes (delivery 18, 19; DLQ-5).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { StreamGroup } from "../../adapters/ports.ts";
import { parseStreamId } from "../../adapters/stream_id.ts";
import { IncorrectUsageError } from "../../errors.ts";
import { at, type BrokerRig, idsOf, numbered, type Rule, textsOf } from "./broker_suite_rig.ts";

/** Reads `texts` and dead-letters each; returns the ids in the dead-letter stream. */
async function bury(rig: BrokerRig, group: StreamGroup, ...texts: string[]): Promise<readonly string[]> {
  const dead = `${rig.stream}:dlq`;
  await rig.publish(...texts);
  for (const { id, data = "" } of await group.read({ count: texts.length })) {
    assertEquals(await group.deadLetter(id, dead, data), true);
  }
  return idsOf(await rig.broker.deadLetters.list(dead, { limit: 100 })).slice(-texts.length);
}

export function deadLetterRules(rule: Rule): void {
  rule("dead-letters an entry once and acknowledges it (S3)", async (rig) => {
    const { publish, consumer, broker, stream } = rig;
    const dead = `${stream}:dlq`;
    const [id = ""] = await publish("1");
    const a = await consumer("a");
    assertEquals(await a.deadLetter(id, dead, "never delivered"), false);
    await a.read({ count: 1 });
    assertEquals(await a.deadLetter(id, dead, '{"_dlq_metadata":{}}'), true);
    assertEquals(await a.deadLetter(id, dead, "again"), false);
    assertEquals(await a.pending({ limit: 9 }), []);
    assertEquals(textsOf(await broker.deadLetters.list(dead, { limit: 9 })), ['{"_dlq_metadata":{}}']);
    assertEquals(await broker.deadLetters.depth(dead), 1);
    assertEquals(await broker.length(stream), 1);
    assertEquals(await broker.groups(dead), []);
  });

  rule("lists dead letters in order, after a place, up to a limit", async (rig) => {
    const dead = `${rig.stream}:dlq`;
    const { deadLetters } = rig.broker;
    const ids = await bury(rig, await rig.consumer("a"), ...numbered(5));
    assertEquals(textsOf(await deadLetters.list(dead, { limit: 2 })), ["1", "2"]);
    const rest = await deadLetters.list(dead, { limit: 9, after: at(ids, 1) });
    assertEquals(textsOf(rest), ["3", "4", "5"]);
    assertEquals(await deadLetters.list(dead, { limit: 9, after: at(ids, 4) }), []);
    assertEquals(await deadLetters.get(dead, at(ids, 2)), { id: at(ids, 2), data: "3" });
  });

  rule("lists dead letters backwards, the newest first, page by page", async (rig) => {
    const dead = `${rig.stream}:dlq`;
    const { deadLetters } = rig.broker;
    const ids = await bury(rig, await rig.consumer("a"), ...numbered(5));
    const page = (limit: number, after?: string) =>
      deadLetters.list(dead, { direction: "backwards", limit, ...(after !== undefined && { after }) });
    const first = await page(2);
    assertEquals(first, [{ id: at(ids, 4), data: "5" }, { id: at(ids, 3), data: "4" }]);
    // What a page ended with may be gone before the next is read.
    await deadLetters.remove(dead, [at(ids, 3)]);
    assertEquals(textsOf(await page(9, at(ids, 3))), ["3", "2", "1"]);
    assertEquals(await page(9, at(ids, 0)), []);
    assertEquals(await page(0), []);
    assertEquals(await page(-1), []);
    const [ms = "0"] = at(ids, 0).split("-");
    assertEquals(await page(9, ms), [], "a time alone is its first id");
    assertEquals(await page(9, "0-0"), []);
  });

  rule("refuses to list dead letters behind what is no id", async ({ broker, stream }) => {
    for (const direction of ["forwards", "backwards"] as const) {
      await assertRejects(
        async () =>
          await broker.deadLetters.list(`${stream}:dlq`, { direction, after: "yesterday", limit: 1 }),
        IncorrectUsageError,
        "'yesterday'",
      );
    }
  });

  rule("gives dead letters the time of its own clock, and tells that of the oldest", async (rig) => {
    const { broker, elapse } = rig;
    const dead = `${rig.stream}:dlq`;
    assertEquals(await broker.deadLetters.oldest(dead), undefined);
    const a = await rig.consumer("a");
    const before = await broker.time();
    const [first = ""] = await bury(rig, a, "1");
    const oldest = parseStreamId(first)?.ms ?? 0;
    assert(before <= oldest && oldest <= await broker.time(), `${oldest} is not behind ${before}`);
    await elapse(5);
    await bury(rig, a, "2");
    assertEquals(await broker.deadLetters.oldest(dead), oldest);
    assert(await broker.time() >= oldest + 5);
    await broker.deadLetters.purge(dead);
    assertEquals(await broker.deadLetters.oldest(dead), undefined);
  });

  rule("trims dead letters by age, exactly and in steps (DLQ-2)", async ({ broker, stream, elapse }) => {
    const dead = `${stream}:dlq`;
    const { deadLetters } = broker;
    const bury = (texts: readonly string[]) => broker.publish(texts.map((data) => ({ stream: dead, data })));
    assertEquals(await deadLetters.trimBefore(dead, await broker.time(), 9), 0);
    await bury(numbered(330));
    await elapse(5);
    const time = await broker.time();
    assertEquals(await deadLetters.trimBefore(dead, 0, 9), 0);
    assertEquals(await deadLetters.trimBefore(dead, time, 0), 0);
    const kept = idsOf(await bury(numbered(70)));
    assertEquals(await deadLetters.trimBefore(dead, time, 1), 1);
    assertEquals(await deadLetters.trimBefore(dead, time, 149), 149);
    assertEquals(textsOf(await deadLetters.list(dead, { limit: 1 })), ["151"]);
    assertEquals(await deadLetters.trimBefore(dead, time, 10_000), 180);
    assertEquals(await deadLetters.trimBefore(dead, time, 10_000), 0);
    assertEquals(idsOf(await deadLetters.list(dead, { limit: 999 })), kept);
    assertEquals(await deadLetters.depth(dead), 70);
    assertEquals(await deadLetters.trimBefore(dead, time + 60_000, 10_000), 70);
    assertEquals([await deadLetters.depth(dead), await deadLetters.oldest(dead)], [0, undefined]);
  });

  rule("trims a few dead letters as exactly as many", async (rig) => {
    const dead = `${rig.stream}:dlq`;
    const { deadLetters } = rig.broker;
    const a = await rig.consumer("a");
    await bury(rig, a, ...numbered(3));
    await rig.elapse(5);
    const time = await rig.broker.time();
    await bury(rig, a, "4");
    assertEquals(await deadLetters.trimBefore(dead, time, 100), 3);
    assertEquals(textsOf(await deadLetters.list(dead, { limit: 9 })), ["4"]);
  });

  rule("removes some dead letters, or all", async (rig) => {
    const dead = `${rig.stream}:dlq`;
    const { deadLetters } = rig.broker;
    const ids = await bury(rig, await rig.consumer("a"), ...numbered(5));
    assertEquals(await deadLetters.remove(dead, [at(ids, 0), at(ids, 3), at(ids, 0), "1-1"]), 2);
    assertEquals(textsOf(await deadLetters.list(dead, { limit: 9 })), ["2", "3", "5"]);
    assertEquals(await deadLetters.remove(dead, []), 0);
    assertEquals(
      await deadLetters.purge(dead, at(ids, 2)),
      0,
      "one that came behind it stays, and so all do",
    );
    assertEquals(await deadLetters.depth(dead), 3);
    assertEquals(await deadLetters.purge(dead, at(ids, 4)), 3);
    assertEquals(await deadLetters.purge(dead, at(ids, 4)), 0);
    await bury(rig, await rig.consumer("a"), "6");
    assertEquals(await deadLetters.purge(dead), 1);
    assertEquals(await deadLetters.purge(dead), 0);
    assertEquals(await deadLetters.depth(dead), 0);
  });

  rule("moves dead letters aside and back, each to one place", async (rig) => {
    const [dead, aside] = [`${rig.stream}:dlq`, `${rig.stream}:dlq:discarded`];
    const { deadLetters } = rig.broker;
    const ids = await bury(rig, await rig.consumer("a"), ...numbered(90));
    assertEquals(
      await deadLetters.move?.(dead, [at(ids, 3), at(ids, 1), at(ids, 3), "1-1", "no id"], aside),
      2,
    );
    assertEquals(textsOf(await deadLetters.list(aside, { limit: 9 })), ["4", "2"], "in the order given");
    assertEquals(await deadLetters.depth(dead), 88);
    assertEquals(await deadLetters.move?.(dead, ids, aside), 88);
    assertEquals([await deadLetters.depth(dead), await deadLetters.depth(aside)], [0, 90]);
    assertEquals(await deadLetters.move?.(dead, ids, aside), 0);
    assertEquals(await deadLetters.move?.(aside, [], dead), 0);
    const back = idsOf(await deadLetters.list(aside, { limit: 999 }));
    assertEquals(await deadLetters.move?.(aside, back, dead), 90);
    assertEquals(textsOf(await deadLetters.list(dead, { limit: 2 })), ["4", "2"]);
    assertEquals(await deadLetters.depth(aside), 0);
  });

  rule("moves each dead letter once when two move at once", async (rig) => {
    const [dead, aside] = [`${rig.stream}:dlq`, `${rig.stream}:dlq:discarded`];
    const ids = await bury(rig, await rig.consumer("a"), ...numbered(60));
    const moved = await Promise.all(
      [rig.broker, rig.other].map(({ deadLetters }) => deadLetters.move?.(dead, ids, aside) ?? 0),
    );
    assertEquals(moved.reduce((sum, count) => sum + count), 60);
    assertEquals([await rig.broker.length(dead), await rig.broker.length(aside)], [0, 60]);
  });

  rule("releases a dead letter to every group of the stream, once", async (rig) => {
    const { consumer, broker, other, stream } = rig;
    const dead = `${stream}:dlq`;
    const [a, b] = [await consumer("a"), await consumer("a", { group: "g2" })];
    const [id = ""] = await bury(rig, a, "1");
    await b.read({ count: 9, ack: [] });
    const released = await Promise.all(
      [broker, other].map(({ deadLetters }) => deadLetters.release?.(dead, id, stream, "again")),
    );
    assertEquals(released.toSorted(), [false, true]);
    assertEquals(textsOf(await a.read({ count: 9 })), ["again"]);
    assertEquals(textsOf(await b.read({ count: 9 })), ["again"]);
    assertEquals(await broker.length(dead), 0);
    for (const none of ["1-1", "no id"]) {
      assertEquals(await broker.deadLetters.release?.(dead, none, stream, "x"), false);
    }
  });

  rule("has no dead letters where there is no such stream or id", async ({ broker, stream, publish }) => {
    const { deadLetters } = broker;
    await publish("1");
    for (const name of [stream, `${stream}:dlq`]) {
      for (const id of ["1-1", "1", "no id", ""]) {
        assertEquals(await deadLetters.get(name, id), undefined);
        assertEquals(await deadLetters.remove(name, [id]), 0);
        assertEquals(await deadLetters.replay(name, id, `${name}:replay:g1`, "g1"), false);
      }
    }
    assertEquals(await deadLetters.list(`${stream}:dlq`, { limit: 9 }), []);
    assertEquals(await deadLetters.depth(`${stream}:dlq`), 0);
    assertEquals(await broker.length(`${stream}:replay:g1`), 0);
  });

  rule("replays a dead letter to the group that failed, and to nobody else", async (rig) => {
    const { consumer, broker, stream } = rig;
    const [dead, lane] = [`${stream}:dlq`, `${stream}:replay:g1`];
    const a = await consumer("a");
    const elsewhere = await consumer("a", { group: "g2" });
    const [first = ""] = await bury(rig, a, "1", "2");
    await elsewhere.read({ count: 9 });
    assertEquals(await broker.deadLetters.replay(dead, first, lane, "g1"), true);
    assertEquals(await broker.deadLetters.replay(dead, first, lane, "g1"), false);
    assertEquals(textsOf(await broker.deadLetters.list(dead, { limit: 9 })), ["2"]);
    assertEquals(await broker.length(lane), 1);
    assertEquals(await a.read({ count: 9 }), []);
    assertEquals(await elsewhere.read({ count: 9 }), []);
    const replayed = await consumer("a", { stream: lane, lane: true, ensure: false });
    assertEquals(textsOf(await replayed.read({ count: 9 })), ["1"]);
  });

  rule("replays once when two replay at once", async (rig) => {
    const { consumer, broker, other, stream } = rig;
    const [dead, lane] = [`${stream}:dlq`, `${stream}:replay:g1`];
    const ids = await bury(rig, await consumer("a"), ...numbered(10));
    const runs = await Promise.all([broker, other].map(async ({ deadLetters }) => {
      let moved = 0;
      for (const id of ids) if (await deadLetters.replay(dead, id, lane, "g1")) moved++;
      return moved;
    }));
    assertEquals(runs.reduce((sum, moved) => sum + moved), 10);
    assertEquals(await broker.length(dead), 0);
    assertEquals(await broker.length(lane), 10);
  });

  rule(
    "reads a lane that does not exist as empty and does not create it",
    async ({ consumer, broker, stream }) => {
      const name = `${stream}:replay:g1`;
      const lane = await consumer("a", { stream: name, lane: true, ensure: false });
      assertEquals(await lane.read({ count: 9 }), []);
      assertEquals(await lane.read({ count: 9, ack: ["1-1"] }), []);
      assertEquals(await lane.info(), undefined);
      assertEquals(await broker.groups(name), []);
    },
  );

  rule("removes a lane's entries as they are done, and the lane with the last", async (rig) => {
    const { consumer, broker, stream } = rig;
    const [dead, name] = [`${stream}:dlq`, `${stream}:replay:g1`];
    const ids = await bury(rig, await consumer("a"), "1", "2", "3", "4");
    for (const id of ids) await broker.deadLetters.replay(dead, id, name, "g1");
    const lane = await consumer("a", { stream: name, lane: true, ensure: false });
    const [first, second, third] = idsOf(await lane.read({ count: 3 }));
    assertEquals(await lane.ack([first ?? ""]), 1);
    assertEquals(await lane.ack([first ?? ""]), 0);
    assertEquals(await broker.length(name), 3);
    const taken = await consumer("b", { stream: name, lane: true, ensure: false });
    await taken.claim([{ id: second ?? "", from: "a" }], 0);
    assertEquals(await taken.deadLetter(second ?? "", dead, "2 again"), true);
    const fourth = await lane.read({ count: 9, ack: [third ?? ""] });
    assertEquals(textsOf(fourth), ["4"]);
    assertEquals(await broker.length(name), 1);
    assertEquals(await lane.read({ count: 9, ack: idsOf(fourth) }), []);
    assertEquals(await broker.length(name), 0);
    assertEquals(await broker.groups(name), []);
    assertEquals(await lane.read({ count: 9 }), []);
    assertEquals(textsOf(await broker.deadLetters.list(dead, { limit: 9 })), ["2 again"]);
  });

  rule("replays again through a lane that was used up", async (rig) => {
    const { consumer, broker, stream } = rig;
    const [dead, name] = [`${stream}:dlq`, `${stream}:replay:g1`];
    const a = await consumer("a");
    const lane = await consumer("a", { stream: name, lane: true, ensure: false });
    for (const text of ["1", "2"]) {
      const [id = ""] = await bury(rig, a, text);
      assertEquals(await broker.deadLetters.replay(dead, id, name, "g1"), true);
      const read = await lane.read({ count: 9 });
      assertEquals(textsOf(read), [text]);
      assertEquals(await lane.ack(idsOf(read)), 1);
    }
  });
}
