/**
 * The memory broker under the broker suite.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";

function options(clock: FakeClock) {
  return { name: "default", domain: "shop", settings: {}, folder: Deno.cwd(), clock };
}

async function open() {
  const clock = new FakeClock();
  const broker = new MemoryBroker(options(clock));
  await broker.open();
  return {
    broker,
    elapse: (ms: number) => clock.advance(ms),
    close: async () => {
      await broker.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
    },
  };
}

brokerConformance("memory", open, { partitions: true, operations: true });
brokerModel("memory", open, { exact: true });

Deno.test("MemoryBroker ends a waiting read when it is closed", async () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker(options(clock));
  const group = broker.group({ stream: "orders", group: "g1", consumer: "a" });
  await group.ensure();
  const reading = group.read({ count: 1, blockMs: 60_000 });
  await clock.advance(10);
  await broker.close();
  assertEquals(await reading, []);
  assertEquals(clock.pending, 0);
});

Deno.test("MemoryBroker keeps ids ascending when the clock steps back", async () => {
  const times = [1000, 1000, 400, 1001];
  const clock = Object.assign(new FakeClock(), { now: () => times.shift() ?? 0 });
  const broker = new MemoryBroker(options(clock));
  const ids: string[] = [];
  for (let left = times.length; left > 0; left--) {
    for (const result of await broker.publish([{ stream: "orders", data: "x" }])) {
      if ("id" in result) ids.push(result.id);
    }
  }
  assertEquals(ids, ["1000-0", "1000-1", "1000-2", "1001-0"]);
});

Deno.test("MemoryBroker instances share nothing", async () => {
  const clock = new FakeClock();
  const [one, two] = [new MemoryBroker(options(clock)), new MemoryBroker(options(clock))];
  await one.publish([{ stream: "orders", data: "x" }]);
  assertEquals([await one.length("orders"), await two.length("orders")], [1, 0]);
});
