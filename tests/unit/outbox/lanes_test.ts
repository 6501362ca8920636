/** Which lane a row of the outbox takes (S59). */
import { assertEquals } from "@std/assert";
import { Lanes } from "../../../lib/domain/lanes.ts";
import { publishBatch } from "../../../lib/outbox/publish.ts";
import { encodeEvent } from "../../support/encode_message.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { OutboxRow } from "../../../lib/adapters/ports.ts";
import { FragileBroker, retry } from "./outbox_rig.ts";

const lanes = (threshold = 0, backfill_suffix = "backfill") =>
  new Lanes({ enabled: true, threshold, backfill_suffix });

Deno.test("what is below the threshold takes the backfill lane, the threshold itself the primary", () => {
  const of = (lane: Lanes) =>
    [-100, -1, -0.5, 0, 1, 100].map((priority) => lane.streamOf("shop::order", priority));
  const [primary, backfill] = ["shop::order", "shop::order:backfill"];
  assertEquals(of(lanes()), [backfill, backfill, backfill, primary, primary, primary]);
  assertEquals(of(lanes(1)), [backfill, backfill, backfill, backfill, primary, primary]);
  assertEquals(lanes(0, "slow").streamOf("shop::order:command", -1), "shop::order:command:slow");
  assertEquals(
    lanes().backfillOf({ kind: "command_handler" }, "shop::order:command"),
    "shop::order:command:backfill",
  );
  assertEquals(lanes().backfillOf({ kind: "subscriber" }, "payments"), undefined);
});

for (
  const [name, given, expected, partitionKey] of [
    ["with lanes", lanes(), [["shop::order", 2], ["shop::order:backfill", 1]], undefined],
    [
      ...["without, as other teams' brokers are", undefined] as const,
      ...[[["shop::order", 3], ["shop::order:backfill", 0]], undefined] as const,
    ],
    ["a key has one lane alone", lanes(), [["shop::order:ann", 3], ["shop::order:backfill", 0]], "ann"],
  ] as const
) {
  Deno.test(`rows are published to their lanes, in one batch: ${name}`, async () => {
    const clock = new FakeClock();
    const broker = new FragileBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
    const rows = [0, -1, 50].map((priority, index): OutboxRow => {
      const text = encodeEvent({
        type: "Shop.Placed.v1",
        category: "shop::order",
        id: `${index}`,
        n: 1,
        time: 0,
        data: {},
      });
      const { data, metadata } = JSON.parse(text);
      return {
        ...{
          id: `${index}`,
          messageId: `m${index}`,
          type: "Shop.Placed.v1",
          streamName: `shop::order-${index}`,
        },
        ...{ data: JSON.stringify(data), metadata: JSON.stringify(metadata), retryCount: 0, priority },
        ...(partitionKey !== undefined && { partitionKey }),
      } as unknown as OutboxRow;
    });
    const lease = { assertHeld: () => {}, claim: () => Promise.resolve([]), settle: () => Promise.resolve() };
    const refusals = { refused: () => {}, taken: () => {} };
    const parts = { lease, broker, lanes: given, retry, refusals, clock, random: () => 0.5 };
    const { outcomes } = await publishBatch(rows, parts, new Set());
    assertEquals(outcomes.map(({ status }) => status), ["published", "published", "published"]);
    for (const [stream, length] of expected) assertEquals(await broker.length(stream), length, stream);
    await broker.close();
  });
}
