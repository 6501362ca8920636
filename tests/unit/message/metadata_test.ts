import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  commandMetadata,
  eventId,
  eventMetadata,
  newCorrelationId,
  newMessageId,
  sequenceId,
  timeText,
} from "../../../lib/message/metadata.ts";
import { METADATA } from "./samples.ts";

const TIME = Date.UTC(2026, 10, 22, 14, 11, 31, 746);

Deno.test("an event's metadata has the keys of the wire in its order, all of them and no others", () => {
  const metadata = eventMetadata({
    id: eventId("shop::order-ord-1", 0, 1),
    time: METADATA.headers.time,
    type: "Shop.OrderPlaced.v1",
    stream: "shop::order-ord-1",
    category: "shop::order",
    fqn: "shop.domain.OrderPlaced",
    sequenceId: sequenceId(0, 1),
    correlationId: "corr-1",
    causationId: "ord-1",
    checksum: METADATA.envelope.checksum,
  });
  assertEquals(JSON.stringify(metadata), JSON.stringify(METADATA));
});

Deno.test("an event takes every option", () => {
  const traceparent = { trace_id: "a", parent_id: "b", sampled: false };
  const metadata = eventMetadata({
    id: "i",
    time: TIME,
    type: "T",
    stream: "s",
    category: "c",
    fqn: "f",
    version: 2,
    sequenceId: "3",
    asynchronous: false,
    priority: -50,
    correlationId: "cor",
    causationId: "cau",
    originStream: "o",
    traceparent,
    checksum: "x",
    extensions: { tenant: "a" },
  });
  assertEquals(metadata, {
    headers: {
      id: "i",
      time: "2026-11-22T14:11:31.746000+00:00",
      type: "T",
      stream: "s",
      traceparent,
      idempotency_key: null,
      deadline: null,
    },
    envelope: { specversion: "1.0", checksum: "x" },
    domain: {
      fqn: "f",
      kind: "EVENT",
      origin_stream: "o",
      stream_category: "c",
      version: 2,
      sequence_id: "3",
      asynchronous: false,
      expected_version: null,
      priority: -50,
      correlation_id: "cor",
      causation_id: "cau",
    },
    event_store: null,
    extensions: { tenant: "a" },
  });
});

Deno.test("a command has key and deadline, and neither category nor sequence", () => {
  const options = { id: "i", time: TIME, type: "T", stream: "s", checksum: null };
  const metadata = commandMetadata({ ...options, idempotencyKey: "k", deadline: TIME + 1000 });
  assertEquals(metadata.headers.idempotency_key, "k");
  assertEquals(metadata.headers.deadline, "2026-11-22T14:11:32.746000+00:00");
  assertEquals(metadata.domain.kind, "COMMAND");
  assertEquals([metadata.domain.stream_category, metadata.domain.sequence_id], [null, null]);
  const inherited = commandMetadata({ ...options, deadline: "2026-11-22T14:11:32.746953+00:00" });
  assertEquals(inherited.headers.deadline, "2026-11-22T14:11:32.746953+00:00");
  assertEquals(commandMetadata(options).headers.deadline, null);
});

// wire 1.5
const ids: [string, string, string][] = [
  ["a state-stored aggregate", eventId("shop::order-ord-1", 0, 1), "shop::order-ord-1-0.1"],
  ["its later save", eventId("shop::order-M1", 1, 1), "shop::order-M1-1.1"],
  ["its fact event", eventId("shop::order-fact-ord-1", 0, 2), "shop::order-fact-ord-1-0.2"],
  ["an event-sourced aggregate", eventId("shop::account-a-b", 4), "shop::account-a-b-4"],
  ["a process manager", eventId("shop::order_pm-ord-1", 2), "shop::order_pm-ord-1-2"],
];
for (const [what, id, expected] of ids) {
  Deno.test(`the id of an event of ${what} is ${expected}`, () => assertEquals(id, expected));
}

Deno.test("a sequence id is the version and, where several events share it, the number", () => {
  assertEquals(sequenceId(0, 1), "0.1");
  assertEquals(sequenceId(12), "12");
});

Deno.test("message ids are uuids, correlation ids 32 hexadecimal digits; none repeats", () => {
  assertMatch(newMessageId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertMatch(newCorrelationId(), /^[0-9a-f]{32}$/);
  assertNotEquals(newMessageId(), newMessageId());
  assertNotEquals(newCorrelationId(), newCorrelationId());
});

Deno.test("timeText is re-exported", () => assertEquals(timeText(0), "1970-01-01T00:00:00.000000+00:00"));
