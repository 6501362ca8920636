/** `/api/rollups`: minutes of a subscription as columns (operations 10.4). */
import { assertEquals } from "@std/assert";
import { type Rollup, ROLLUP_FIGURES } from "../../../lib/adapters/ports.ts";
import { NotSupportedError } from "../../../lib/errors.ts";
import { observatoryApp } from "../../../lib/observatory/server.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { FakeSource } from "./support.ts";

function minute(
  at: number,
  figures: Partial<Rollup["figures"]>,
  buckets: Readonly<Record<number, number>> = {},
): Rollup {
  const none = Object.fromEntries(ROLLUP_FIGURES.map((name) => [name, 0])) as Rollup["figures"];
  return {
    subscription: "shop.Notes",
    minute: at,
    figures: { ...none, ...figures },
    buckets: Array.from({ length: 12 }, (_, bucket) => buckets[bucket] ?? 0),
  };
}

function setUp() {
  const source = new FakeSource();
  const clock = new FakeClock(6_000_000_000);
  const settings = { host: "127.0.0.1", port: 9000, token: undefined };
  const app = observatoryApp({ source, settings, clock, databaseType: () => "x" });
  const ask = async (query: string) => {
    const response = await app(new Request(`http://x/api/rollups?${query}`));
    return { status: response.status, body: await response.json() };
  };
  return { source, ask };
}

Deno.test("minutes become steps, those without work zeros, and quantiles as close as the buckets are", async () => {
  const { source, ask } = setUp();
  source.minutes = [
    minute(
      100_000,
      { handled: 4, failed: 1, critical_max_ms: 900, duration_sum_ms: 40, duration_max_ms: 30 },
      { 1: 2, 4: 2 },
    ),
    minute(100_003, { handled: 1, retried: 2, dead: 1, critical_max_ms: 9_000_000 }, { 11: 1 }),
  ];
  const { body } = await ask("subject=shop.Notes&from=6000000&to=6000300");
  assertEquals(body, {
    ...{ subject: "shop.Notes", step: 60, t: [6_000_000, 6_000_060, 6_000_120, 6_000_180, 6_000_240] },
    ...{ handled: [4, 0, 0, 1, 0], failed: [1, 0, 0, 0, 0], retried: [0, 0, 0, 2, 0], dead: [0, 0, 0, 1, 0] },
    ...{ duration_sum: [0.04, 0, 0, 0, 0], duration_max: [0.03, 0, 0, 0, 0] },
    p50: [0.05, null, null, 8_100, null],
    p99: [0.892, null, null, 8_982, null],
  });
  const { body: coarse } = await ask("subject=shop.Notes&from=6000000&to=6000300&step=120");
  assertEquals([coarse.t, coarse.handled, coarse.failed], [[6_000_000, 6_000_120, 6_000_240], [4, 1, 0], [
    1,
    0,
    0,
  ]]);
});

Deno.test("without a time it is the last hour, the minute that runs included", async () => {
  const { ask } = setUp();
  const { body: { t } } = await ask("subject=x");
  assertEquals([t.length, t[0], t.at(-1)], [60, 6_000_000 - 3_540, 6_000_000]);
});

for (
  const query of [
    ...["", "subject=", "subject=x&from=now", "subject=x&from=2&to=1", "subject=x&from=0&to=93601"],
    ...["subject=x&step=0", "subject=x&step=90", "subject=x&step=-60", "subject=x&to=1e3"],
  ]
) {
  Deno.test(`?${query} is the caller's mistake`, async () => {
    const { ask } = setUp();
    assertEquals((await ask(query)).status, 400);
  });
}

Deno.test("a broker that keeps none says so", async () => {
  const { source, ask } = setUp();
  source.minutes = new NotSupportedError("It keeps no rollups.");
  assertEquals(await ask("subject=x"), { status: 501, body: { error: "It keeps no rollups." } });
});
