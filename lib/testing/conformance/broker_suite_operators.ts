/**
 * Rules of what operators ask of groups, and of removing one (delivery 8).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { GroupMissingError } from "../../errors.ts";
import { at, numbered, type Rule } from "./broker_suite_rig.ts";

export function operatorRules(rule: Rule): void {
  rule("tells since when entries wait for a group, and none where nothing waits", async (rig) => {
    const { publish, consumer, broker, stream, elapse } = rig;
    const a = await consumer("a");
    const nothing = { undeliveredSince: undefined, pendingSince: undefined };
    assertEquals(await broker.groupAges(stream, "g1"), nothing);
    const ids = [...await publish("1")];
    await elapse(5);
    ids.push(...await publish("2", "3"));
    const times = ids.map((id) => Number(id.split("-")[0]));
    assertEquals(await broker.groupAges(stream, "g1"), { ...nothing, undeliveredSince: times[0] });
    await a.read({ count: 2 });
    assertEquals(await broker.groupAges(stream, "g1"), {
      undeliveredSince: times[2],
      pendingSince: times[0],
    });
    await a.ack([at(ids, 0)]);
    await a.read({ count: 2 });
    assertEquals(await broker.groupAges(stream, "g1"), { ...nothing, pendingSince: times[1] });
    await a.ack(ids);
    assertEquals(await broker.groupAges(stream, "g1"), nothing);
    const age = await broker.time() - (times[0] ?? 0);
    assert(age >= 5, `The first entry is ${age} ms old by the broker's clock.`);
  });

  rule("knows no ages of a group or a stream that is not there", async ({ consumer, broker, stream }) => {
    await consumer("a");
    assertEquals(await broker.groupAges(stream, "nobody"), undefined);
    assertEquals(await broker.groupAges(`${stream}:none`, "g1"), undefined);
  });

  rule("drops one group with all that it knows, and nothing else", async (rig) => {
    const { publish, consumer, broker, other, stream } = rig;
    await publish(...numbered(3));
    const [a, b] = [await consumer("a"), await consumer("b", { group: "g2" })];
    await a.read({ count: 2 });
    await b.read({ count: 1 });
    assertEquals(await other.dropGroup(stream, "g1"), true);
    assertEquals(await broker.dropGroup(stream, "g1"), false);
    assertEquals((await broker.groups(stream)).map(({ group, pending }) => [group, pending]), [["g2", 1]]);
    assertEquals(await broker.length(stream), 3);
    await assertRejects(() => a.read({ count: 1 }), GroupMissingError);
    // Made anew it begins at the beginning, and knows nothing of what was pending.
    assertEquals(await a.ensure(), true);
    assertEquals([(await a.info())?.lag, (await a.info())?.pending], [3, 0]);
    assertEquals((await a.read({ count: 9 })).length, 3);
  });

  rule("drops nothing where there is no such stream", async ({ broker, stream }) => {
    assertEquals(await broker.dropGroup(`${stream}:none`, "g1"), false);
    assertEquals(await broker.length(`${stream}:none`), 0);
  });

  rule("lets what only a dropped group needed be trimmed", async ({ publish, consumer, broker, stream }) => {
    const ids = await publish(...numbered(4));
    const a = await consumer("a");
    await consumer("idle", { group: "abandoned" });
    await a.read({ count: 9 });
    await a.ack(ids);
    assertEquals(await a.trim(1), 0);
    await broker.dropGroup(stream, "abandoned");
    assert(await a.trim(1) >= 0);
    assertEquals((await broker.groups(stream)).map(({ group }) => group), ["g1"]);
  });
}
