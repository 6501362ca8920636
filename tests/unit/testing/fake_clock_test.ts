import { assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { sleep } from "../../../lib/async/clock.ts";

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

Deno.test("advance fires what is due in order of time, and nothing beyond", async () => {
  const clock = new FakeClock(0);
  const fired: string[] = [];
  for (const ms of [300, 100, 200, 100, 301]) clock.after(ms, () => fired.push(`${ms} at ${clock.now()}`));
  await clock.advance(300);
  assertEquals(fired, ["100 at 100", "100 at 100", "200 at 200", "300 at 300"]);
  assertEquals([clock.now(), clock.pending], [300, 1]);
});

Deno.test("advance fires timers that others set when they were due, too", async () => {
  const clock = new FakeClock(0);
  let beats = 0;
  const beat = () => {
    beats++;
    clock.after(10, beat);
  };
  clock.after(10, beat);
  await clock.advance(1000);
  assertEquals(beats, 100);
});

Deno.test("advance waits for work that takes many turns of the event loop between its timers", async () => {
  const clock = new FakeClock(0);
  const steps: number[] = [];
  const work = (async () => {
    // Each step sets and clears a timer, as a call does that has a limit; all of them in one moment.
    for (let step = 1; step <= 20; step++) {
      const cancel = clock.after(5000, () => {});
      await turns(3);
      cancel();
      steps.push(step);
    }
    await sleep(clock, 10);
    steps.push(clock.now());
  })();
  await clock.advance(10);
  assertEquals(steps.length, 21);
  assertEquals(steps.at(-1), 10);
  await work;
});

Deno.test("advance leaves to itself whoever never comes to rest", async () => {
  const clock = new FakeClock(0);
  let restless = true;
  const work = (async () => {
    while (restless) {
      clock.after(1000, () => {})();
      await turns(1);
    }
  })();
  await clock.advance(1);
  assertEquals(clock.now(), 1);
  restless = false;
  await work;
});
