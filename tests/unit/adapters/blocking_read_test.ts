import { assertEquals, assertRejects } from "@std/assert";
import { takeWhenThere } from "../../../lib/adapters/blocking_read.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

/** A source of numbers, and who watches it. */
function source() {
  const clock = new FakeClock();
  const there: number[] = [];
  const watchers = new Set<() => void>();
  let takes = 0;
  return {
    clock,
    watchers,
    get takes() {
      return takes;
    },
    put(value: number) {
      there.push(value);
      for (const changed of [...watchers]) changed();
    },
    nudge() {
      for (const changed of [...watchers]) changed();
    },
    take: () => {
      takes++;
      return Promise.resolve(there.splice(0));
    },
    watch: (changed: () => void) => {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
  };
}

function assertQuiet(numbers: ReturnType<typeof source>): void {
  assertEquals(numbers.watchers.size, 0, "nobody watches any more");
  assertEquals(numbers.clock.pending, 0, "no timer is left behind");
}

Deno.test("takeWhenThere answers at once with what is there", async () => {
  const numbers = source();
  numbers.put(1);
  const { clock } = numbers;
  assertEquals(await takeWhenThere(numbers.take, numbers.watch, { clock, blockMs: 1000, signals: [] }), [1]);
  assertQuiet(numbers);
});

Deno.test("takeWhenThere does not wait without a time to wait", async () => {
  const numbers = source();
  const { clock } = numbers;
  for (const blockMs of [0, -1]) {
    assertEquals(await takeWhenThere(numbers.take, numbers.watch, { clock, blockMs, signals: [] }), []);
  }
  assertEquals(numbers.takes, 2);
});

Deno.test("takeWhenThere waits for what comes, through wake-ups for nothing", async () => {
  const numbers = source();
  const { clock } = numbers;
  const taking = takeWhenThere(numbers.take, numbers.watch, { clock, blockMs: 1000, signals: [] });
  await clock.advance(400);
  numbers.nudge();
  await clock.advance(400);
  numbers.put(7);
  assertEquals(await taking, [7]);
  assertQuiet(numbers);
});

Deno.test("takeWhenThere takes a last time and gives up when the time is up", async () => {
  const numbers = source();
  const { clock } = numbers;
  const taking = takeWhenThere(numbers.take, numbers.watch, { clock, blockMs: 1000, signals: [] });
  await clock.advance(999);
  assertEquals(clock.pending, 1);
  await clock.advance(1);
  assertEquals(await taking, []);
  assertQuiet(numbers);
});

Deno.test("takeWhenThere does not sleep through what comes while it takes", async () => {
  const numbers = source();
  const { clock } = numbers;
  let late = true;
  const take = async () => {
    const taken = await numbers.take();
    // Comes after this try has looked, before its answer is known.
    if (late && numbers.watchers.size > 0) {
      late = false;
      numbers.put(3);
    }
    return taken;
  };
  assertEquals(await takeWhenThere(take, numbers.watch, { clock, blockMs: 1000, signals: [] }), [3]);
  assertQuiet(numbers);
});

Deno.test("takeWhenThere takes nothing once one of its signals has aborted", async () => {
  const numbers = source();
  const { clock } = numbers;
  const [first, second] = [new AbortController(), new AbortController()];
  const signals = [first.signal, second.signal];
  const taking = takeWhenThere(numbers.take, numbers.watch, { clock, blockMs: 1000, signals });
  await clock.advance(1);
  second.abort();
  numbers.put(1);
  assertEquals(await taking, []);
  const before = numbers.takes;
  assertEquals(await takeWhenThere(numbers.take, numbers.watch, { clock, blockMs: 1000, signals }), []);
  assertEquals(numbers.takes, before);
  assertQuiet(numbers);
});

Deno.test("takeWhenThere rejects with what taking rejects with, and stops watching", async () => {
  const numbers = source();
  const { clock } = numbers;
  let gone = false;
  const take = () => gone ? Promise.reject(new RangeError("gone")) : numbers.take();
  const taking = takeWhenThere(take, numbers.watch, { clock, blockMs: 1000, signals: [] });
  await clock.advance(1);
  gone = true;
  numbers.nudge();
  await assertRejects(() => taking, RangeError);
  assertQuiet(numbers);
});
