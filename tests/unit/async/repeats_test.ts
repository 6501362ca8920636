import { assertEquals } from "@std/assert";
import { Repeats } from "../../../lib/async/repeats.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

function rig(most = 2) {
  const clock = new FakeClock();
  const told: string[] = [];
  const repeats = new Repeats<number>({
    ...{ clock, most, everyMs: 10_000 },
    again: (facts, times) => told.push(`again ${facts} x${times}`),
    rest: (count) => told.push(`rest ${count}`),
  });
  const come = (key: string, facts: number) => {
    if (repeats.isFirst(key, facts)) told.push(`first ${key}`);
  };
  return { clock, told, repeats, come };
}

Deno.test("what comes a thousand times a minute is told once, and then once in each interval", async () => {
  const { clock, told, repeats, come } = rig();
  for (let n = 0; n < 1000; n++) {
    come("a", n);
    if (n % 10 === 9) await clock.advance(600);
  }
  repeats.close();
  assertEquals(told.slice(0, 2), ["first a", "again 169 x169"]);
  assertEquals(told.length, 7);
  const times = told.slice(1).map((line) => Number(line.split("x")[1]));
  assertEquals(times.reduce((sum, each) => sum + each), 999);
  assertEquals(clock.pending, 0);
});

Deno.test("what comes rarely is told each time, and leaves no timer behind", async () => {
  const { clock, told, come } = rig();
  for (let n = 0; n < 3; n++) {
    come("a", n);
    assertEquals(clock.pending, 0);
    await clock.advance(10_000);
  }
  assertEquals(told, ["first a", "first a", "first a"]);
});

Deno.test("of many different things the first are told, and how many more there were; that is all that is kept", async () => {
  const { clock, told, come } = rig();
  for (let n = 0; n < 10_000; n++) come(`k${n}`, n);
  await clock.advance(10_000);
  come("k0", 0);
  assertEquals(told, ["first k0", "first k1", "rest 9998", "first k0"]);
});

Deno.test("what is kept back is told at the end", () => {
  const { clock, told, repeats, come } = rig();
  for (const key of ["a", "a", "b", "c"]) come(key, 1);
  repeats.close();
  repeats.close();
  assertEquals(told, ["first a", "first b", "again 1 x1", "rest 1"]);
  assertEquals(clock.pending, 0);
});
