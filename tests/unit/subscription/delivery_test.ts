import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/async/clock.ts";
import { Attempts } from "../../../lib/subscription/attempts.ts";
import { Delivery, type Ending } from "../../../lib/subscription/delivery.ts";
import { StreamLane } from "../../../lib/subscription/stream_lane.ts";
import { FlakyBroker } from "../../support/flaky_broker.ts";

function delivery(): Delivery {
  const clock = new FakeClock();
  const broker = new FlakyBroker({ name: "default", domain: "shop", settings: {}, folder: ".", clock });
  const group = broker.group({ stream: "s", group: "g", consumer: "c" });
  const lane = new StreamLane("main", group, "s", clock, () => {});
  return new Delivery("1-0", "{}", { lane, deliveries: [], open: 1 }, 1, false);
}

for (
  const [endings, ended, mayCommit] of [
    [[], undefined, true],
    [["cut"], "cut", true],
    [["cut", "lost"], "lost", false],
    [["lost", "cut"], "lost", false],
    [["cut", "abandoned"], "abandoned", false],
    [["abandoned", "lost"], "abandoned", false],
  ] as [Ending[], Ending | undefined, boolean][]
) {
  Deno.test(`a delivery that is ${endings.join(", then ") || "left alone"} ${mayCommit ? "may" : "may not"} commit`, () => {
    const one = delivery();
    for (const ending of endings) one.end(ending);
    assertEquals([one.ended, one.mayCommit()], [ended, mayCommit]);
  });
}

Deno.test("a signal that is asked for after the end is aborted, with the first reason", () => {
  const one = delivery();
  const reason = new Error("cut by the drain");
  one.end("cut", reason);
  one.end("lost", new Error("claimed"));
  assert(one.signal.aborted);
  assertEquals(one.signal.reason, reason);
});

Deno.test("what was read and never started is released uncounted, what ran to its end counts (delivery 7)", () => {
  const attempts = new Attempts(1, false);
  assertEquals([attempts.first, attempts.finished(false)], [true, 0]);
  attempts.begin();
  assertEquals([attempts.first, attempts.finished(true), attempts.finished(false)], [false, 0, 1]);
  attempts.countedAs(2);
  assertEquals(attempts.finished(false), 1);
  attempts.begin();
  assertEquals([attempts.finished(true), attempts.finished(false)], [1, 2]);
});

Deno.test("an attempt that an outage ended is repeated, not counted again", () => {
  const attempts = new Attempts(1, false);
  attempts.begin();
  attempts.outage();
  assertEquals([attempts.counted, attempts.outages, attempts.finished(false)], [true, 1, 0]);
  attempts.begin();
  assertEquals([attempts.counted, attempts.finished(false)], [false, 1]);
});

Deno.test("what was found in the pending list is counted before its start, unless nothing but a lost read counted it", () => {
  const claimed = new Attempts(3, true);
  assertEquals([claimed.first, claimed.counted, claimed.finished(false)], [false, false, 3]);
  assertEquals([claimed.mayCount(4), claimed.mayCount(3)], [true, false]);
  claimed.neverHeardOf();
  assertEquals(claimed.counted, false);
  const unheard = new Attempts(1, true);
  unheard.neverHeardOf();
  assertEquals([unheard.first, unheard.counted, unheard.finished(false)], [false, true, 0]);
});
