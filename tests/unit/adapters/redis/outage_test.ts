import { assert, assertEquals, assertExists } from "@std/assert";
import { Outage } from "../../../../lib/adapters/redis/outage.ts";
import { FakeClock } from "../../../../lib/testing/fake_clock.ts";

const gone = new Error("gone");

Deno.test("Outage names its error until another attempt may be made, at most 5 s (PIPE-11)", async () => {
  const clock = new FakeClock();
  const outage = new Outage("brokers.default", clock);
  assertEquals(outage.error, undefined);
  for (let attempt = 1; attempt <= 12; attempt++) {
    outage.failed(gone, clock.monotonic());
    assertEquals(outage.error, gone);
    const ceiling = Math.min(5000, 100 * 2 ** attempt);
    await clock.advance(99);
    assertExists(outage.error, "never before 100 ms");
    await clock.advance(ceiling - 99);
    assertEquals(outage.error, undefined, `attempt ${attempt} waits at most ${ceiling} ms`);
  }
});

Deno.test("Outage counts attempts that ran side by side as one", async () => {
  const clock = new FakeClock();
  const outage = new Outage("brokers.default", clock);
  const startedAt = clock.monotonic();
  await clock.advance(10);
  for (let connection = 0; connection < 50; connection++) outage.failed(gone, startedAt);
  await clock.advance(200);
  assertEquals(outage.error, undefined, "the first delay is at most 200 ms");
});

Deno.test("Outage lets everybody go on when one gets through", async () => {
  const clock = new FakeClock();
  const outage = new Outage("brokers.default", clock);
  for (let attempt = 0; attempt < 8; attempt++) outage.failed(gone, clock.monotonic());
  let waited = false;
  const waiting = outage.wait(60_000).then(() => waited = true);
  await clock.advance(50);
  assert(!waited);
  outage.ended();
  await waiting;
  assertEquals(outage.error, undefined);
  assertEquals(clock.pending, 0);
});

Deno.test("Outage ends a wait with its signal and after the time given", async () => {
  const clock = new FakeClock();
  const outage = new Outage("brokers.default", clock);
  const stop = new AbortController();
  outage.failed(gone, clock.monotonic());
  const cut = outage.wait(60_000, stop.signal);
  stop.abort();
  await cut;
  const short = outage.wait(20);
  await clock.advance(20);
  await short;
  assertEquals(clock.pending, 0);
});
