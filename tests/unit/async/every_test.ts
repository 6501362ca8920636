import { assert, assertEquals } from "@std/assert";
import { every, together } from "../../../lib/async/every.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

Deno.test("what is done every second by many is one wake-up, whenever each has begun", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const moments = new Set<number>();
  const running: Promise<void>[] = [];
  for (let each = 0; each < 20; each++) {
    running.push(every(clock, 1_000, stop.signal, () => Promise.resolve(void moments.add(clock.now()))));
    await clock.advance(11);
  }
  await clock.advance(2_000);
  moments.clear();
  await clock.advance(60_000);
  assertEquals(moments.size, 60);
  stop.abort();
  await Promise.all(running);
  assertEquals(clock.pending, 0);
});

Deno.test("nobody waits longer than he asked for, nor much less", () => {
  for (const now of [0, 1, 123, 249, 250, 999, 1_000.4, 77_777]) {
    const clock = { ...new FakeClock(), monotonic: () => now } as unknown as FakeClock;
    for (const ms of [0, 1, 3, 10, 500, 999, 1_000, 2_000, 30_000, 86_400_000]) {
      const wait = together(clock, ms);
      assert(wait <= ms + 1.5, `${wait} for ${ms} at ${now}`);
      assert(wait >= ms - Math.min(250, ms / 4), `${wait} for ${ms} at ${now}`);
    }
  }
});

Deno.test("a timer that is a little early makes no wait shorter", () => {
  const clock = { ...new FakeClock(), monotonic: () => 4_998.9 } as unknown as FakeClock;
  assertEquals(Math.round(4_998.9 + together(clock, 1_000)), 6_000);
});
