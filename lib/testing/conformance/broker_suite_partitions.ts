/**
 * Rules of parted categories (wire 2.11), for brokers that have them.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { BaseBroker, Halt, Partition, PartitionLease, Partitions } from "../../adapters/ports.ts";
import { FencedError, GroupMissingError } from "../../errors.ts";
import type { BrokerRig, Rule } from "./broker_suite_rig.ts";

const TIMES = { ttlMs: 15_000, renewMs: 3_000 } as const;
const GROUP = "shop.OrderEvents";

/** A key that is owned, and the key as its owner has it. */
interface Owned extends AsyncDisposable {
  readonly lease: PartitionLease;
  readonly partition: Partition;
}

function partitionsOf({ partitions }: BaseBroker): Partitions {
  assert(partitions, "the broker has partitions");
  return partitions;
}

async function own(
  { broker, stream }: BrokerRig,
  key: string,
  { by = broker, owner = "Events-host-1-aaaaaa", adopt = true, group = GROUP } = {},
): Promise<Owned> {
  const partitions = partitionsOf(by);
  const lease = await partitions.lease({ group, key, owner, ...TIMES });
  assert(lease, `'${key}' is free`);
  const partition = partitions.open({ stream, key, group, lease });
  if (adopt) assertEquals(await partition.adopt(), true);
  return { lease, partition, [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose]() };
}

function publishTo({ broker, stream }: BrokerRig, key: string, ...texts: string[]) {
  return broker.publish(texts.map((data) => ({ stream, data, partition: key })));
}

function haltAt(id: string): Halt {
  return {
    ...{ id, attempts: 3, handler: "OrderEvents", error_type: "Error", error_message: 'poison: "ü"' },
    ...{ halted_at: "2026-11-28T12:00:00+00:00", owner: "somebody:1" },
  };
}

export function partitionRules(rule: Rule): void {
  rule(
    "writes to the stream of a key, notes the key once, and leaves the whole stream alone",
    async (rig) => {
      const { broker, stream } = rig;
      const mixed = [
        { stream, data: "1", partition: "a" },
        { stream, data: "2" },
        { stream, data: "3", partition: "b" },
        { stream, data: "4", partition: "a" },
      ];
      const results = await broker.publish(mixed);
      assertEquals(results.filter((result) => "id" in result).length, 4);
      const partitions = partitionsOf(broker);
      assertEquals([...await partitions.keys(stream)].sort(), ["a", "b"]);
      assertEquals([await partitions.count(stream), await partitions.count(`${stream}2`)], [2, 0]);
      const lengths = [stream, `${stream}:a`, `${stream}:b`].map((name) => broker.length(name));
      assertEquals(await Promise.all(lengths), [1, 2, 1]);
    },
  );

  rule("gives a key to one owner at a time, each with a fence of its own", async (rig) => {
    const partitions = partitionsOf(rig.broker);
    const ask = (by: Partitions, owner: string, group = GROUP) =>
      by.lease({ group, key: "a", owner, ...TIMES });
    const first = await ask(partitions, "one");
    assertEquals(first?.fence, "one:1");
    assertEquals(await ask(partitionsOf(rig.other), "two"), undefined);
    await using elsewhere = await ask(partitionsOf(rig.other), "two", "shop.Audit");
    assertEquals(elsewhere?.fence, "two:1", "another group has an owner of its own");
    await first?.[Symbol.asyncDispose]();
    await using second = await ask(partitionsOf(rig.other), "two");
    assertEquals(second?.fence, "two:2");
    await first?.[Symbol.asyncDispose]();
    assertEquals(await ask(partitions, "one"), undefined, "what was given back is not given back twice");
  });

  rule("keeps a key for an owner that lives", async (rig) => {
    await publishTo(rig, "a", "1");
    const partitions = partitionsOf(rig.broker);
    await using lease = await partitions.lease({
      ...{ group: GROUP, key: "a", owner: "one" },
      ...{ ttlMs: 1000, renewMs: 200 },
    });
    await rig.elapse(2500);
    assertEquals(lease?.signal.aborted, false);
    assertEquals(await partitions.lease({ group: GROUP, key: "a", owner: "two", ...TIMES }), undefined);
  });

  rule("hands out a key's entries in order, one at a time, what is pending first", async (rig) => {
    await publishTo(rig, "a", "1", "2", "x".repeat(100_000));
    await using owned = await own(rig, "a");
    const { partition } = owned;
    const first = await partition.next();
    assertEquals([first?.data, first?.count, first?.pending], ["1", 1, false]);
    assert(first);
    assertEquals(await partition.attempt(first.id), 2);
    const again = await partition.next();
    assertEquals([again?.id, again?.count, again?.pending], [first.id, 2, true]);
    await partition.ack([first.id]);
    for (const text of ["2", "x".repeat(100_000)]) {
      const entry = await partition.next();
      assertEquals([entry?.data, entry?.pending], [text, false]);
      await partition.ack([entry?.id ?? ""]);
    }
    assertEquals(await partition.next(), undefined);
  });

  rule("lets the next owner take over what is pending, with its counts", async (rig) => {
    await publishTo(rig, "a", "1", "2");
    const first = await own(rig, "a");
    const entry = await first.partition.next();
    assert(entry);
    await first.partition.attempt(entry.id);
    await first.lease[Symbol.asyncDispose]();
    await using second = await own(rig, "a", { by: rig.other, owner: "two" });
    const taken = await second.partition.next();
    assertEquals([taken?.id, taken?.data, taken?.count, taken?.pending], [entry.id, "1", 2, true]);
    const info = await partitionsOf(rig.broker).info(rig.stream, GROUP, 10);
    assertEquals(info, { keys: 1, length: 2, lag: 1, pending: 1, consumers: 1 });
  });

  rule("lets an owner who has lost the key do nothing any more (fencing)", async (rig) => {
    await publishTo(rig, "a", "1", "2");
    const stale = await own(rig, "a");
    const entry = await stale.partition.next();
    assert(entry);
    const { id } = entry;
    await stale.lease[Symbol.asyncDispose]();
    const fencedText = "is not Events-host-1-aaaaaa:1's any more";
    const fenced = async () => {
      await assertRejects(() => stale.partition.next(), FencedError, fencedText);
      await assertRejects(() => stale.partition.ack([id]), FencedError, fencedText);
      await assertRejects(() => stale.partition.halt(haltAt(id), 2), FencedError, fencedText);
      await assertRejects(() => stale.partition.adopt(), FencedError, fencedText);
    };
    await fenced();
    await using owner = await own(rig, "a", { by: rig.other, owner: "two" });
    await fenced();
    assertEquals(await stale.partition.attempt(id), undefined);
    assertEquals(await stale.partition.refresh([id]), [id]);
    assertEquals(await stale.partition.deadLetter(id, `${rig.stream}:dlq`, "x"), false);
    await stale.partition.release([{ id, count: 9 }]);
    const taken = await owner.partition.next();
    assertEquals([taken?.id, taken?.count], [id, 1]);
    assertEquals(await rig.broker.deadLetters.depth(`${rig.stream}:dlq`), 0);
  });

  rule("does not make a key that is not there", async (rig) => {
    await using owned = await own(rig, "gone", { adopt: false });
    assertEquals(await owned.partition.adopt(), false);
    await assertRejects(() => owned.partition.next(), GroupMissingError);
    assertEquals(await rig.broker.groups(`${rig.stream}:gone`), []);
  });

  rule(
    "notes where a group stands still, for others to see and for the next owner to forget",
    async (rig) => {
      await publishTo(rig, "a", "1", "2");
      await publishTo(rig, "b", "3");
      const first = await own(rig, "a");
      const entry = await first.partition.next();
      assert(entry);
      assertEquals(await first.partition.halted(), false);
      assertEquals(await first.partition.halt(haltAt("1-1"), 2), false, "it is not the owner's");
      assertEquals(await first.partition.halt(haltAt(entry.id), 2), true);
      assertEquals(await first.partition.halted(), true);
      const others = partitionsOf(rig.other);
      assertEquals(await others.halted(rig.stream, GROUP), [{ key: "a", halt: haltAt(entry.id) }]);
      assertEquals(await others.halted(rig.stream, "shop.Audit"), []);
      await first.lease[Symbol.asyncDispose]();
      await using second = await own(rig, "a", { by: rig.other, owner: "two" });
      assertEquals(await others.halted(rig.stream, GROUP), []);
      const taken = await second.partition.next();
      assertEquals([taken?.id, taken?.count], [entry.id, 2]);
    },
  );

  rule("stands still no longer where the group or the entry was removed by other means", async (rig) => {
    await publishTo(rig, "a", "1", "2");
    const owner = await own(rig, "a");
    const entry = await owner.partition.next();
    assert(entry);
    assertEquals(await owner.partition.halt(haltAt(entry.id), 2), true);
    assertEquals(await rig.other.dropGroup(owner.partition.stream, GROUP), true);
    assertEquals(await owner.partition.halted(), false);
    assertEquals(await partitionsOf(rig.other).halted(rig.stream, GROUP), []);
    await assertRejects(() => owner.partition.next(), GroupMissingError);
    await owner.lease[Symbol.asyncDispose]();
    await using next = await own(rig, "a", { owner: "two" });
    const again = await next.partition.next();
    assertEquals(await next.partition.halt(haltAt(again?.id ?? ""), 2), true);
    await next.partition.ack([again?.id ?? ""]);
    assertEquals([await next.partition.halted(), (await next.partition.next())?.data], [false, "2"]);
  });

  rule(
    "lets an operator skip the entry at which a group stands still, or dead-letter it, once",
    async (rig) => {
      const { stream } = rig;
      await publishTo(rig, "a", "1", "2");
      await using owned = await own(rig, "a");
      const others = partitionsOf(rig.other);
      const halt = async () => {
        const entry = await owned.partition.next();
        assert(entry);
        await owned.partition.halt(haltAt(entry.id), 2);
        const [halted] = await others.halted(stream, GROUP);
        assert(halted);
        return halted;
      };
      const first = await halt();
      assertEquals(await others.unblock({ stream, group: GROUP, halted: first }), true);
      assertEquals(await others.unblock({ stream, group: GROUP, halted: first }), false);
      assertEquals(await owned.partition.halted(), false);
      const letter = { deadLetterStream: `${stream}:dlq`, data: '{"letter":1}' };
      const second = await halt();
      assertEquals(second.halt.id === first.halt.id, false, "the next one");
      assertEquals(await others.unblock({ stream, group: GROUP, halted: first, letter }), false);
      assertEquals(await others.unblock({ stream, group: GROUP, halted: second, letter }), true);
      const [dead, ...more] = await rig.broker.deadLetters.list(`${stream}:dlq`, { limit: 9 });
      assertEquals([dead?.data, more], [letter.data, []]);
      assertEquals(await owned.partition.next(), undefined);
    },
  );

  rule("moves an entry of a key to the dead letters of its category in one step", async (rig) => {
    await publishTo(rig, "a", "1");
    await using owned = await own(rig, "a");
    const entry = await owned.partition.next();
    assertEquals(await owned.partition.deadLetter(entry?.id ?? "", `${rig.stream}:dlq`, "x"), true);
    assertEquals(await rig.broker.deadLetters.depth(`${rig.stream}:dlq`), 1);
    assertEquals(await owned.partition.next(), undefined);
  });

  rule("removes a cold key with its stream, and only where every group is done with it", async (rig) => {
    const partitions = partitionsOf(rig.broker);
    await publishTo(rig, "a", "1");
    await using owned = await own(rig, "a");
    assertEquals(await owned.partition.reap(0), false, "it is not read");
    const entry = await owned.partition.next();
    assertEquals(await owned.partition.reap(0), false, "it is not acknowledged");
    await owned.partition.ack([entry?.id ?? ""]);
    assertEquals(await owned.partition.reap(3_600_000), false, "it is not idle for so long");
    const late = await own(rig, "a", { group: "shop.Audit", owner: "late" });
    assertEquals(await owned.partition.reap(0), false, "another group has not read it");
    await late.partition.ack([(await late.partition.next())?.id ?? ""]);
    await late.lease[Symbol.asyncDispose]();
    assertEquals(await owned.partition.reap(0), true);
    assertEquals([await partitions.keys(rig.stream), await rig.broker.length(`${rig.stream}:a`)], [[], 0]);
    await publishTo(rig, "a", "2");
    await assertRejects(() => owned.partition.next(), GroupMissingError);
    await owned.lease[Symbol.asyncDispose]();
    await using next = await own(rig, "a");
    assertEquals([next.lease.fence.endsWith(":2"), (await next.partition.next())?.data], [true, "2"]);
  });

  rule("tells which keys have something to read", async (rig) => {
    const partitions = partitionsOf(rig.broker);
    await publishTo(rig, "a", "1");
    await publishTo(rig, "b", "2");
    const news = () => partitions.news(rig.stream, GROUP, ["a", "b", "c"]);
    assertEquals(await news(), ["a", "b", "c"], "there are no groups yet");
    await using a = await own(rig, "a");
    await using b = await own(rig, "b");
    for (const { partition } of [a, b]) {
      const entry = await partition.next();
      assertEquals(await partitions.news(rig.stream, GROUP, [partition.stream.slice(-1)]), [
        partition.stream.slice(-1),
      ], "it is pending");
      await partition.ack([entry?.id ?? ""]);
    }
    assertEquals(await partitions.news(rig.stream, GROUP, ["a", "b"]), []);
    await publishTo(rig, "b", "3");
    assertEquals(await partitions.news(rig.stream, GROUP, ["a", "b"]), ["b"]);
    assertEquals(await partitions.info(rig.stream, GROUP, 1), undefined, "there are more keys than that");
  });
}
