import { assert, assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { retryDelay } from "../../../lib/async/backoff.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { RetrySchedule } from "../../../lib/subscription/retry_schedule.ts";

Deno.test("hands items out when they are due, in order of time, with one timer", async () => {
  const clock = new FakeClock();
  const due: string[] = [];
  const schedule = new RetrySchedule<string>(clock, (item) => due.push(item));
  schedule.add("late", 300);
  schedule.add("early", 100);
  schedule.add("middle", 200);
  assertEquals(clock.pending, 1);
  await clock.advance(99);
  assertEquals(due, []);
  await clock.advance(101);
  assertEquals(due, ["early", "middle"]);
  await clock.advance(1000);
  assertEquals(due, ["early", "middle", "late"]);
  assertEquals(clock.pending, 0);
});

Deno.test("close forgets what was waiting and leaves no timer, also for what is added later", async () => {
  const clock = new FakeClock();
  const schedule = new RetrySchedule<string>(clock, () => {
    throw new Error("nothing may fire");
  });
  schedule.add("a", 10);
  schedule.add("b", 5);
  schedule.close();
  assertEquals(clock.pending, 0);
  schedule.add("c", 1);
  assertEquals(clock.pending, 0);
  await clock.advance(100);
});

Deno.test("items come out sorted, whatever the order they go in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(1000)), async (delays) => {
      const clock = new FakeClock();
      const due: number[] = [];
      const schedule = new RetrySchedule<number>(clock, (item) => due.push(item));
      for (const delay of delays) schedule.add(delay, delay);
      await clock.advance(1000);
      assertEquals(due, delays.toSorted((a, b) => a - b));
    }),
    { numRuns: 30 },
  );
});

Deno.test("the delay doubles, is capped, and jitters by a quarter (delivery 3)", () => {
  const delays = (random: number) =>
    [1, 2, 3, 4, 10].map((attempt) => retryDelay(attempt, 1, 5, () => random));
  assertEquals(delays(0.5), [1000, 2000, 4000, 5000, 5000]);
  assertEquals(delays(0), [750, 1500, 3000, 3750, 3750]);
  assertEquals(delays(1), [1250, 2500, 5000, 6250, 6250]);
  assertEquals(retryDelay(3, 0, 60, () => 1), 0);
});

Deno.test("the delay is never negative, never above the cap and its jitter", () => {
  fc.assert(
    fc.property(
      fc.nat(10_000),
      fc.float({ min: 0, max: 100, noNaN: true }),
      fc.float({ min: 0, max: 1, noNaN: true }),
      (attempt, base, random) => {
        const delay = retryDelay(attempt, base, 60, () => random);
        assert(delay >= 0 && delay <= 75_000);
      },
    ),
  );
});
