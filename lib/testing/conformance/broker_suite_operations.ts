/**
 * Rules of operations: one that is alike is refused, and whoever has lost one writes nothing any more
 * (operations 6).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { OPERATION_KEPT_MS, type OperationRecords, type OperationState } from "../../adapters/ports.ts";
import type { BrokerRig, Rule } from "./broker_suite_rig.ts";

const UNFINISHED: readonly OperationState[] = ["planned", "running", "paused"];

function recordsOf(broker: BrokerRig["broker"]): OperationRecords {
  assert(broker.operations);
  return broker.operations;
}

export function operationRules(rule: Rule): void {
  rule("keeps operations, and lists the newest first", async ({ broker, other, stream, elapse }) => {
    const [own, others] = [recordsOf(broker), recordsOf(other)];
    const ids = ["1", "2", "3"].map((n) => `${stream}-${n}`);
    for (const id of ids) {
      const created = await broker.time();
      assertEquals(
        await own.create({ id, created, state: "planned", alike: id, data: `{"n":"${id}"}` }),
        undefined,
      );
      await elapse(2);
    }
    const [first = "", second = "", third = ""] = ids;
    assertEquals((await others.list(10)).map(({ id }) => id), [third, second, first]);
    assertEquals((await others.list(2)).map(({ id }) => id), [third, second]);
    assertEquals((await others.waiting(10)).map(({ id }) => id), [first, second, third]);
    const row = await others.get(first);
    assertEquals([row?.id, row?.state, row?.run, row?.data], [first, "planned", "", `{"n":"${first}"}`]);
    assertEquals(await own.get("none"), undefined);
    assertEquals(await own.turn("none", UNFINISHED, "paused"), undefined);
  });

  rule("refuses an operation while one that is alike is unfinished", async ({ broker, other, stream }) => {
    const [own, others] = [recordsOf(broker), recordsOf(other)];
    const created = await broker.time();
    const make = (records: OperationRecords, name: string, alike = stream) =>
      records.create({ id: `${stream}-${name}`, created, state: "planned", alike, data: "{}" });
    const both = await Promise.all([make(own, "a"), make(others, "b")]);
    assertEquals(both.filter((id) => id === undefined).length, 1, "one of two at once");
    const id = both.find((id) => id !== undefined) ?? "";
    assertEquals(await make(own, "c"), id);
    assertEquals(await make(own, "d", `${stream}-else`), undefined);
    assertEquals(await own.turn(id, ["planned"], "paused"), "planned");
    assertEquals(await make(others, "e"), id, "also one that is paused");
    assertEquals(await others.turn(id, ["paused"], "cancelled"), "paused");
    assertEquals(await make(own, "f"), undefined);
    assertEquals(await make(own, "g"), `${stream}-f`);
    assertEquals((await own.waiting(10)).map(({ id }) => id).toSorted(), [`${stream}-d`, `${stream}-f`]);
  });

  rule("lets nobody write an operation but who has begun it last", async ({ broker, other, stream }) => {
    const [own, others] = [recordsOf(broker), recordsOf(other)];
    const created = await broker.time();
    await own.create({ id: stream, created, state: "planned", alike: stream, data: "0" });
    assertEquals(await own.save(stream, "", "no"), undefined);
    assertEquals(await own.begin(stream, ["paused"], "me"), "planned", "it is not paused");
    assertEquals(await own.save(stream, "me", "no"), undefined);
    assertEquals(await own.begin(stream, UNFINISHED, "me"), "planned");
    assertEquals(await own.save(stream, "me"), "running");
    assertEquals(await own.save(stream, "me", "1"), "running");
    const row = await others.get(stream);
    assertEquals([row?.data, row?.run, row?.beats, row?.state], ["1", "me", 2, "running"]);
    assertEquals(await others.begin(stream, UNFINISHED, "you"), "running");
    assertEquals(await own.save(stream, "me", "2"), undefined);
    assertEquals(await own.end(stream, "me", "done", "2"), undefined);
    assertEquals(await others.end(stream, "you", "done", "3"), "done");
    assertEquals((await own.get(stream))?.data, "3");
    assertEquals(await others.save(stream, "you", "4"), undefined);
  });

  rule(
    "leaves an operation in the state that somebody has put it into",
    async ({ broker, other, stream }) => {
      const [own, others] = [recordsOf(broker), recordsOf(other)];
      const created = await broker.time();
      await own.create({ id: stream, created, state: "planned", alike: stream, data: "0" });
      await own.begin(stream, UNFINISHED, "me");
      assertEquals(await others.turn(stream, ["planned", "running"], "paused"), "running");
      assertEquals(await own.save(stream, "me", "1"), "paused");
      assertEquals(await own.end(stream, "me", "done", "2"), "paused");
      const row = await others.get(stream);
      assertEquals([row?.state, row?.run, row?.data], ["paused", "", "2"]);
      assertEquals(await own.waiting(10), []);
    },
  );

  rule("forgets operations that are thirty days old", async ({ broker, stream }) => {
    const records = recordsOf(broker);
    const now = await broker.time();
    const create = (name: string, created: number) =>
      records.create({ id: `${stream}-${name}`, created, state: "done", alike: name, data: "{}" });
    await create("old", now - OPERATION_KEPT_MS - 1_000);
    await create("new", now);
    assertEquals((await records.list(10)).map(({ id }) => id), [`${stream}-new`]);
  });

  rule("feeds a lane once for each mark", async (rig) => {
    const { broker: { deadLetters }, other, stream, consumer } = rig;
    const name = `${stream}:replay:g1`;
    const feed = (texts: string[], from: string, to: string, id = "m1") =>
      deadLetters.feed?.(name, "g1", texts, { id, from, to });
    assertEquals(await feed([], "", "0"), "0");
    assertEquals(await rig.broker.groups(name), [], "nothing makes no lane");
    assertEquals(await feed(["1", "2"], "0", "2"), "2");
    assertEquals(
      await other.deadLetters.feed?.(name, "g1", ["1", "2"], { id: "m1", from: "0", to: "2" }),
      "2",
    );
    assertEquals(await feed(["x"], "1", "3"), "2", "it stands elsewhere");
    assertEquals(await feed(["3"], "2", "3"), "3");
    assertEquals(await feed(["4"], "", "1", "m2"), "1");
    const lane = await consumer("a", { stream: name, lane: true, ensure: false });
    const entries = await lane.read({ count: 9 });
    assertEquals(entries.map(({ data }) => data), ["1", "2", "3", "4"]);
    await lane.ack(entries.map(({ id }) => id));
    assertEquals(await feed(["3"], "2", "3"), "3", "the mark outlives the lane");
    assertEquals(await rig.broker.length(name), 0);
  });
}
