/** What subscriptions do is added once a minute, whatever the broker says (operations 8). */
import { assertEquals } from "@std/assert";
import type { Rollup, Rollups } from "../../../lib/adapters/ports.ts";
import { BrokerUnavailableError } from "../../../lib/errors.ts";
import { bothTold, RollupService } from "../../../lib/engine/rollups.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

class Kept implements Rollups {
  readonly added: Rollup[] = [];
  mode: "takes" | "refuses" | "hangs" = "takes";

  add(rollups: readonly Rollup[]): Promise<void> {
    if (this.mode === "hangs") return new Promise(() => {});
    if (this.mode === "refuses") return Promise.reject(new BrokerUnavailableError("Nobody answers."));
    this.added.push(...rollups);
    return Promise.resolve();
  }

  read(): Promise<readonly Rollup[]> {
    return Promise.resolve(this.added);
  }
}

async function running() {
  const clock = new FakeClock(90_000_000);
  const kept = new Kept();
  const service = new RollupService(kept, clock, () => 0.5);
  const notes = service.observer("shop.Notes");
  await service.start();
  return { clock, kept, service, notes };
}

Deno.test("a minute is told when it is over, the last one at the end, and one without work not at all", async () => {
  const { clock, kept, service, notes } = await running();
  notes.happened("handled", 2);
  notes.ran?.(10.4, undefined);
  notes.ran?.(30.4, undefined);
  notes.settled?.(9);
  notes.settled?.(70_000);
  notes.settled?.(9_000_000);
  notes.settled?.(-5);
  notes.happened("retried", 1);
  notes.happened("failed", 1);
  notes.happened("deadLettered", 1);
  notes.happened("duplicates", 7);
  await clock.advance(59_999);
  assertEquals(kept.added, []);
  await clock.advance(1);
  notes.happened("handled", 4);
  // Not all replicas at once.
  await clock.advance(9_999);
  assertEquals(kept.added, []);
  await clock.advance(1);
  assertEquals(kept.added, [{
    subscription: "shop.Notes",
    minute: 1_500,
    figures: {
      ...{ handled: 2, failed: 1, retried: 1, dead: 1, duration_sum_ms: 41, duration_max_ms: 30 },
      ...{ critical_sum_ms: 9_070_009, critical_max_ms: 9_000_000 },
    },
    buckets: [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1],
  }]);
  await clock.advance(120_000);
  assertEquals(kept.added.slice(1).map(({ minute, figures }) => [minute, figures.handled]), [[1_501, 4]]);
  service.observer("shop.Notes").happened("handled", 1);
  notes.happened("handled", 1);
  await service.stop();
  assertEquals(kept.added.slice(2).map(({ minute, figures }) => [minute, figures.handled]), [[1_503, 2]]);
  assertEquals(clock.pending, 0);
});

Deno.test("of many runs in a minute some are timed, and stand for all; counts are exact", async () => {
  const { clock, kept, service, notes } = await running();
  const work = (messages: number) => {
    for (let n = 0; n < messages; n++) {
      notes.happened("handled", 1);
      if (notes.sampled?.() === false) continue;
      notes.ran?.(2, undefined);
      notes.settled?.(70);
    }
  };
  work(33_000);
  notes.ran?.(5, new Error("no"));
  await clock.advance(65_000);
  work(10);
  await service.stop();
  const told = kept.added.map(({ figures, buckets }) => [
    ...[figures.handled, figures.duration_sum_ms, figures.critical_sum_ms, buckets[2]],
  ]);
  assertEquals(told, [[33_000, 66_005, 2_310_000, 33_000], [10, 20, 700, 10]]);
});

Deno.test("beside an observer that is told all, the other is told both times of a run or neither", () => {
  const told: string[] = [];
  let sample = false;
  const both = bothTold(
    {
      happened: () => {},
      ran: () => void told.push("one ran"),
      settled: () => void told.push("one settled"),
    },
    {
      happened: () => {},
      sampled: () => sample,
      ran: () => void told.push("other ran"),
      settled: () => void told.push("other settled"),
    },
  );
  for (const next of [false, true]) {
    sample = next;
    assertEquals(both?.sampled, undefined);
    both?.ran?.(1, undefined);
    both?.settled?.(1);
  }
  assertEquals(told, ["one ran", "one settled", "one ran", "other ran", "one settled", "other settled"]);
});

Deno.test("what a broker refuses is not told again, and a broker that hangs holds nobody up", async () => {
  const { clock, kept, service, notes } = await running();
  kept.mode = "refuses";
  notes.happened("handled", 1);
  await clock.advance(70_000);
  kept.mode = "takes";
  notes.happened("handled", 5);
  await clock.advance(60_000);
  assertEquals(kept.added.map(({ minute, figures }) => [minute, figures.handled]), [[1_501, 5]]);
  kept.mode = "hangs";
  notes.happened("handled", 1);
  await clock.advance(60_000);
  const stopped = service.stop();
  notes.happened("handled", 1);
  await clock.advance(500);
  await stopped;
  assertEquals(clock.pending, 0);
});

Deno.test("two observers are told the same, each by its own methods, and one alone is not wrapped", () => {
  const told: string[] = [];
  const one = {
    name: "one",
    happened: () => void told.push("one happened"),
    ran: () => void told.push("one ran"),
    breaker() {
      told.push(`${this.name} breaker`);
    },
  };
  const other = {
    happened: () => void told.push("other happened"),
    settled: () => void told.push("other settled"),
  };
  const both = bothTold(one, other);
  both?.happened("handled", 1);
  both?.ran?.(1, undefined);
  both?.settled?.(1);
  both?.breaker?.("open", 3);
  assertEquals(told, ["one happened", "other happened", "one ran", "other settled", "one breaker"]);
  assertEquals([bothTold(one, undefined), bothTold(undefined, other)], [one, other]);
  assertEquals("declined" in (both ?? {}), false);
});
