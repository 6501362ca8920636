import { assertEquals } from "@std/assert";
import { Crowd } from "../../../lib/async/crowd.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const never = new AbortController().signal;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Begins `count` and brings each inside, until it is released. */
function fill(crowd: Crowd, count: number): (() => void)[] {
  return Array.from({ length: count }, () => {
    crowd.come();
    crowd.begin();
    const { promise, resolve } = Promise.withResolvers<void>();
    void crowd.inside(promise);
    return resolve;
  });
}

Deno.test("what is on its way, what has begun in this turn and what is inside fill a crowd", async () => {
  const crowd = new Crowd(2);
  crowd.come();
  assertEquals(crowd.full, false);
  crowd.come();
  assertEquals(crowd.full, true);
  crowd.begin();
  crowd.turnBack();
  assertEquals(crowd.full, false);
  crowd.come();
  crowd.begin();
  assertEquals(crowd.full, true);
  await turn();
  assertEquals(crowd.full, false, "nothing of it went inside");
  const [leave] = fill(crowd, 2);
  await turn();
  assertEquals(crowd.full, true);
  leave?.();
  await turn();
  assertEquals(crowd.full, false);
});

Deno.test("those outside are let in as others leave, first come, first served, as many as there is room for", async () => {
  const crowd = new Crowd(2);
  const clock = new FakeClock();
  const [first, second] = fill(crowd, 2);
  await turn();
  const entered: number[] = [];
  for (const n of [1, 2, 3]) {
    void crowd.room(clock, never).then(() => {
      entered.push(n);
      fill(crowd, 1);
    });
  }
  await turn();
  assertEquals(entered, []);
  first?.();
  await turn();
  await turn();
  assertEquals(entered, [1]);
  second?.();
  await turn();
  await turn();
  assertEquals(entered, [1, 2]);
});

Deno.test("one that is let in and finds nothing to do keeps nobody outside", async () => {
  const crowd = new Crowd(1);
  const clock = new FakeClock();
  const [leave] = fill(crowd, 1);
  await turn();
  const all = Promise.all([1, 2, 3].map(() => crowd.room(clock, never)));
  leave?.();
  await all;
  assertEquals(crowd.full, false);
});

Deno.test("nobody waits outside for more than a second, or once its signal has aborted", async () => {
  const crowd = new Crowd(1);
  const clock = new FakeClock();
  fill(crowd, 1);
  await turn();
  let entered = 0;
  void crowd.room(clock, never).then(() => entered++);
  await clock.advance(999);
  assertEquals(entered, 0);
  await clock.advance(1);
  assertEquals(entered, 1);
  const stop = new AbortController();
  const waiting = crowd.room(clock, stop.signal);
  stop.abort();
  await waiting;
  await crowd.room(clock, stop.signal);
});

Deno.test("what fails inside leaves room as well", async () => {
  const crowd = new Crowd(1);
  await crowd.inside(Promise.reject(new Error("lost"))).catch(() => {});
  assertEquals(crowd.full, false);
});
