/** What an owner of a key may do that stood still while its lease ended (fencing, wire 2.11). */
import { assert, assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../../lib/adapters/memory/broker.ts";
import type { Clock } from "../../../../lib/async/clock.ts";
import { unheard } from "../../../../lib/status/work_health.ts";
import { Inbox } from "../../../../lib/subscription/inbox.ts";
import { PartitionLeases } from "../../../../lib/subscription/partitions/leases.ts";
import { PartitionLane } from "../../../../lib/subscription/partitions/partition_lane.ts";

const STREAM = "shop::order";
const GROUP = "shop.Events";

/** Goes on without calling anybody, as it does for a process that is stopped. */
class StoppedClock implements Clock {
  time = 1_000_000;
  now = () => this.time;
  monotonic = () => this.time;
  after = () => () => {};
}

async function owned(clock: StoppedClock) {
  const broker = new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
  await broker.publish([{ stream: STREAM, data: "{}", partition: "a" }]);
  const { partitions } = broker;
  assert(partitions);
  const times = { ttlMs: 15_000, renewMs: 3_000 };
  const lease = await partitions.lease({ group: GROUP, key: "a", owner: "one", ...times });
  assert(lease);
  const partition = partitions.open({ stream: STREAM, key: "a", group: GROUP, lease });
  await partition.adopt();
  const lane = new PartitionLane({
    ...{ category: STREAM, partition, lease, clock, handler: "Events", maxRetries: 3 },
    reporter: () => unheard,
    settled: () => {},
  });
  return { broker, partitions, partition, lane };
}

Deno.test("an owner that stood still may not commit once its lease may have ended, before anybody tells it", async () => {
  const clock = new StoppedClock();
  const { broker, partition, lane } = await owned(clock);
  const inbox = new Inbox(clock, 10);
  const entry = await partition.next();
  assert(entry);
  const [delivery] = inbox.addRead(lane, [entry]);
  assert(delivery);
  clock.time += 10_000;
  assertEquals([lane.lost, delivery.mayCommit()], [false, true]);
  clock.time += 4_000;
  assertEquals([lane.lost, delivery.mayCommit()], [true, false]);
  inbox.close();
  await broker.close();
});

Deno.test("what a lost owner has handled is not acknowledged, and its halt is not noted", async () => {
  const clock = new StoppedClock();
  const { broker, partitions, partition, lane } = await owned(clock);
  const entry = await partition.next();
  assert(entry);
  clock.time += 16_000;
  await lane.source.confirm([entry.id]);
  assertEquals(await lane.source.halt?.(entry.id, 3, new Error("poison")), false);
  assertEquals(await partitions.halted(STREAM, GROUP), []);
  assertEquals((await partitions.info(STREAM, GROUP, 9))?.pending, 1);
  await broker.close();
});

Deno.test("a handler that reads several categories owns a key in all of them, until the last gives it back", async () => {
  const clock = new StoppedClock();
  const broker = new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
  const { partitions } = broker;
  const leases = new PartitionLeases("one");
  const options = { group: GROUP, key: "a", ttlMs: 15_000, renewMs: 3_000 };
  const [orders, items] = await Promise.all([
    leases.take(partitions, options),
    leases.take(partitions, options),
  ]);
  assertEquals([orders?.fence, items?.fence], ["one:1", "one:1"]);
  const others = new PartitionLeases("two");
  await orders?.[Symbol.asyncDispose]();
  await orders?.[Symbol.asyncDispose]();
  assertEquals(await others.take(partitions, options), undefined);
  assertEquals((await leases.take(partitions, options))?.fence, "one:1");
  await items?.[Symbol.asyncDispose]();
  assertEquals(await others.take(partitions, options), undefined);
  clock.time += 16_000;
  assertEquals((await others.take(partitions, options))?.fence, "two:2");
  assertEquals(await leases.take(partitions, options), undefined);
  await broker.close();
});
