import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { PAUSE_SIZE } from "../../../lib/subscription/holdings.ts";
import { Inbox } from "../../../lib/subscription/inbox.ts";
import { StreamLane } from "../../../lib/subscription/stream_lane.ts";
import { FlakyBroker } from "../../support/flaky_broker.ts";

function rig() {
  const clock = new FakeClock();
  const broker = new FlakyBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
  const group = broker.group({ stream: "s", group: "g", consumer: "c" });
  const inbox = new Inbox(clock, 10);
  const lane = new StreamLane("main", group, "s", clock, (delivery) => inbox.settle(delivery));
  inbox.addRead(lane, ["1-0", "2-0", "3-0"].map((id) => ({ id, data: `text of ${id}` })));
  return { lane, inbox };
}

Deno.test("a finished entry gives up its text, however long others of its batch take", () => {
  const { inbox } = rig();
  const delivery = inbox.take();
  if (!delivery) throw new Error("there is nothing to take");
  delivery.verdict = { kind: "run", plan: {} };
  inbox.decide(delivery);
  assertEquals(delivery.text, "text of 1-0");
  inbox.settle(delivery);
  assertEquals([delivery.text, delivery.message, delivery.verdict], [undefined, undefined, undefined]);
  assertEquals(inbox.unfinished, 2);
});

Deno.test("an entry that was lost does not count as ours, so that it can be claimed back", () => {
  const { lane, inbox } = rig();
  inbox.lose(lane, new Set(["2-0"]));
  assertEquals([...inbox.openIds(lane)], ["1-0", "3-0"]);
});

Deno.test("what is held is enough by its size too, however few they are, until it is given up (M3)", () => {
  const { lane, inbox } = rig();
  assertEquals([inbox.full, inbox.overfull], [false, false]);
  inbox.addRead(lane, [{ id: "4-0", data: "x".repeat(PAUSE_SIZE) }]);
  assertEquals([inbox.full, inbox.overfull], [true, true]);
  for (let delivery = inbox.take(); delivery; delivery = inbox.take()) {
    inbox.decide(delivery);
    inbox.settle(delivery);
  }
  assertEquals([inbox.full, inbox.overfull], [false, false]);
});
