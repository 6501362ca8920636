/**
 * What every broker must do that keeps rollups (operations 8).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  type Rollup,
  ROLLUP_BUCKETS,
  ROLLUP_KEPT_MS,
  rollupFigures,
  type Rollups,
} from "../../adapters/ports.ts";

export interface RollupsFixture {
  readonly one: Rollups;
  /** Of another process on the same backend; the same as `one` where it cannot be shared. */
  readonly other: Rollups;
  /** The minute that it is. */
  readonly now: number;
  /** Lets time pass for the backend; undefined: nobody can wait for a day. */
  readonly elapse: ((ms: number) => Promise<void>) | undefined;
  close(): Promise<void>;
}

/** `value` stands for every figure; `bucket`: the one that has a message. */
function rollup(subscription: string, minute: number, value: number, bucket = 0): Rollup {
  return {
    subscription,
    minute,
    figures: rollupFigures(() => value),
    buckets: ROLLUP_BUCKETS.map((_, at) => at === bucket ? 1 : 0),
  };
}

export function rollupsConformance(adapter: string, open: () => Promise<RollupsFixture>): void {
  const rule = (sentence: string, prove: (fixture: RollupsFixture) => Promise<void>) => {
    Deno.test(`${adapter} rollups: ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(fixture);
      } finally {
        await fixture.close();
      }
    });
  };

  rule("there are none at first, and nothing is added without any", async ({ one, now }) => {
    assertEquals(await one.read("shop.Notes", now - 1_560, now + 1), []);
    await one.add([]);
    assertEquals(await one.read("shop.Notes", now - 1_560, now + 1), []);
  });

  rule(
    "what several tell of a minute is added, and of maxima the largest is kept",
    async ({ one, other, now }) => {
      await one.add([rollup("shop.Notes", now, 3, 0)]);
      await other.add([rollup("shop.Notes", now, 5, 11)]);
      await one.add([rollup("shop.Notes", now, 2, 0)]);
      const [found, ...more] = await other.read("shop.Notes", now, now + 1);
      assertEquals(more, []);
      const { duration_max_ms, critical_max_ms, ...sums } = found?.figures ?? rollup("", 0, 0).figures;
      assertEquals([duration_max_ms, critical_max_ms], [5, 5]);
      assertEquals(new Set(Object.values(sums)), new Set([10]));
      assertEquals(found?.buckets, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    },
  );

  rule(
    "minutes come in order, from the first on and before the last, of one subscription",
    async ({ one, now }) => {
      const names = ["shop.Notes", "shop.Notes-shop::order", "commands:shop::order", "ümläut \0 'x'"];
      await one.add(
        names.flatMap((name, at) => [now, now - 3, now - 1].map((minute) => rollup(name, minute, at + 1))),
      );
      for (const [at, name] of names.entries()) {
        const found = await one.read(name, now - 3, now);
        assertEquals(found, [rollup(name, now - 3, at + 1), rollup(name, now - 1, at + 1)], name);
      }
      assertEquals(await one.read("shop", now - 3, now), []);
    },
  );

  rule("many at once are all there", async ({ one, now }) => {
    await one.add(Array.from({ length: 120 }, (_, at) => rollup(`shop.H${at}`, now, at + 1)));
    await one.add(Array.from({ length: 700 }, (_, at) => rollup("shop.Long", now - at, at + 1)));
    assertEquals((await one.read("shop.H119", now, now + 1))[0]?.figures.handled, 120);
    const long = await one.read("shop.Long", now - 699, now + 1);
    assertEquals([long.length, long[0]?.figures.handled, long.at(-1)?.figures.handled], [700, 700, 1]);
  });

  rule("figures as large as a day of milliseconds stay whole", async ({ one, now }) => {
    await one.add([rollup("shop.Notes", now, 8_640_000_000_000)]);
    await one.add([rollup("shop.Notes", now, 1)]);
    assertEquals((await one.read("shop.Notes", now, now + 1))[0]?.figures.critical_sum_ms, 8_640_000_000_001);
  });

  rule("after 26 hours a minute is gone", async ({ one, now, elapse }) => {
    if (!elapse) return;
    await one.add([rollup("shop.Notes", now, 1)]);
    await elapse(ROLLUP_KEPT_MS - 120_000);
    assertEquals((await one.read("shop.Notes", now, now + 1)).length, 1);
    await elapse(240_000);
    assertEquals(await one.read("shop.Notes", now, now + 1), []);
    await one.add([rollup("shop.Notes", now + 1_562, 1)]);
    assertEquals((await one.read("shop.Notes", now, now + 2_000)).map(({ minute }) => minute), [now + 1_562]);
  });
}
