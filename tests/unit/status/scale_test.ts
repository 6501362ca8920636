import { assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { StatusRuntime } from "../../../lib/status/collect.ts";
import { NO_EVENT_STORE, type StatusRow } from "../../../lib/status/row.ts";
import { scaleOf } from "../../../lib/status/scale.ts";

const clock = new FakeClock();

function runtime(broker: MemoryBroker, lanes = false): StatusRuntime {
  const runner = { name: "Works", group: "shop.Works", categories: ["s"], kind: "event_handler" };
  const priority_lanes = { enabled: lanes, threshold: 0, backfill_suffix: "backfill" };
  const config = { config: { server: { priority_lanes } } };
  return {
    ...{ brokers: new Map([["default", broker]]), runners: [runner], clock, config },
  } as unknown as StatusRuntime;
}

function broker(): MemoryBroker {
  return new MemoryBroker({ name: "default", domain: "shop", settings: {}, folder: "/", clock });
}

function row(over: Partial<StatusRow>): StatusRow {
  return {
    ...{
      name: "shop.Works",
      handler_name: "Works",
      subscription_type: "stream",
      stream_category: "s",
      lag: 0,
    },
    ...{
      pending: 0,
      current_position: "1-0",
      head_position: 0,
      status: "ok",
      consumer_count: 1,
      dlq_depth: 0,
    },
    ...{ returning: 0, lag_seconds: 0, oldest_pending_seconds: 0, breaker: null, ...NO_EVENT_STORE, ...over },
  };
}

Deno.test("work is what somebody could do now: lag, pending, what the outbox holds, less what waits for later", async () => {
  await using memory = closing(broker());
  const told = { a: { handler: "Works", category: "s", retrying: 3 } };
  await memory.broker.peers?.announce({ id: "1", fields: { subscriptions: JSON.stringify(told) } }, 30_000);
  await memory.broker.peers?.announce({ id: "2", fields: { subscriptions: JSON.stringify(told) } }, 30_000);
  await memory.broker.peers?.announce({ id: "3", fields: { subscriptions: "of another release" } }, 30_000);
  const outbox = row({
    name: "outbox",
    handler_name: "OutboxProcessor",
    subscription_type: "outbox",
    lag: 5,
  });
  const scale = await scaleOf(runtime(memory.broker), [row({ lag: 10, pending: 8 }), outbox]);
  assertEquals([scale.work, scale.lag, scale.pending, scale.retrying, scale.outbox], [17, 10, 8, 6, 5]);
  assertEquals(scale.unknown, []);
});

Deno.test("what workers have told of entries that are done by now never makes the work negative", async () => {
  await using memory = closing(broker());
  const told = { a: { handler: "Works", category: "s", retrying: 50 } };
  await memory.broker.peers?.announce({ id: "1", fields: { subscriptions: JSON.stringify(told) } }, 30_000);
  const scale = await scaleOf(runtime(memory.broker), [row({ lag: 0, pending: 2 })]);
  assertEquals([scale.work, scale.retrying], [0, 2]);
});

Deno.test("what waits on the second lane has its age, and of many keys together nobody knows one", async () => {
  await using memory = closing(broker());
  const ages: (number | null)[] = [];
  const asked = { age: (_: StatusRow, seconds: number | null) => void ages.push(seconds) };
  for (const stream of ["s", "s:backfill"]) {
    await memory.broker.group({ stream, group: "shop.Works", consumer: "c" }).ensure();
  }
  await memory.broker.publish([{ stream: "s:backfill", data: "1" }]);
  await clock.advance(5_000);
  await memory.broker.publish([{ stream: "s", data: "1" }]);
  await clock.advance(2_000);
  const waiting = row({ lag: 2, pending: 0 });
  await scaleOf(runtime(memory.broker), [waiting], asked);
  await scaleOf(runtime(memory.broker, true), [waiting], asked);
  await scaleOf(runtime(memory.broker, true), [{ ...waiting, partitions: 3 }], asked);
  await scaleOf(runtime(memory.broker, true), [row({ partitions: 3 })], asked);
  assertEquals(ages, [2, 7, null, 0]);
});

Deno.test("a lag that the broker has lost is counted, and named as unknown", async () => {
  await using memory = closing(broker());
  await memory.broker.publish([{ stream: "s", data: "1" }, { stream: "s", data: "2" }]);
  const scale = await scaleOf(runtime(memory.broker), [row({ lag: null, current_position: null })]);
  assertEquals([scale.work, scale.unknown], [2, ["shop.Works"]]);
});

Deno.test("the categories of one handler are one line", async () => {
  await using memory = closing(broker());
  const rows = [row({ lag: 1 }), row({ stream_category: "t", lag: 2, pending: null })];
  const scale = await scaleOf(runtime(memory.broker), rows);
  assertEquals(scale.subscriptions, { "shop.Works": { lag: 3, pending: null, retrying: 0 } });
  assertEquals(scale.unknown, ["shop.Works"]);
});

function closing(broker: MemoryBroker) {
  return { broker, [Symbol.asyncDispose]: () => broker.close() };
}
