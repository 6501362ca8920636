/** What many ask for is read once, and never as often as would cost the backends something. */
import { assertEquals, assertRejects } from "@std/assert";
import { TimeoutError } from "../../../lib/async/abort.ts";
import { Recent } from "../../../lib/observatory/recent.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

function counted(clock: FakeClock, tookMs = 0, fails: () => boolean = () => false) {
  let reads = 0;
  const recent = new Recent(async () => {
    const read = ++reads;
    if (tookMs > 0) await new Promise<void>((resolve) => clock.after(tookMs, resolve));
    if (fails()) throw new Error(`no ${read}`);
    return read;
  }, clock);
  return { recent, reads: () => reads };
}

Deno.test("many at once are one read, and for a second afterwards there is no other", async () => {
  const clock = new FakeClock();
  const { recent } = counted(clock);
  assertEquals(await Promise.all([recent.get(), recent.get(), recent.get()]), [1, 1, 1]);
  await clock.advance(999);
  assertEquals(await recent.get(), 1);
  await clock.advance(1);
  assertEquals(await recent.get(), 2);
});

Deno.test("what takes long is read the more rarely: a tenth of the time at most, ten seconds at most", async () => {
  for (const [took, fresh] of [[300, 3_000], [2_000, 10_000]] as const) {
    const clock = new FakeClock();
    const { recent } = counted(clock, took);
    const first = recent.get();
    await clock.advance(took);
    assertEquals(await first, 1);
    await clock.advance(fresh - 1);
    assertEquals(await recent.get(), 1);
    await clock.advance(1);
    const second = recent.get();
    await clock.advance(took);
    assertEquals(await second, 2);
  }
});

Deno.test("a failure is told to everybody for a second, and is over when it is", async () => {
  const clock = new FakeClock();
  let away = true;
  const { recent, reads } = counted(clock, 0, () => away);
  await assertRejects(() => recent.get(), Error, "no 1");
  await assertRejects(() => recent.get(), Error, "no 1");
  away = false;
  await clock.advance(1_000);
  assertEquals(await recent.get(), 2);
  assertEquals(reads(), 2);
});

Deno.test("a read that hangs is not repeated, and who asks is told after 3.5 s, whatever was read before", async () => {
  const clock = new FakeClock();
  let hang = false;
  let reads = 0;
  const recent = new Recent(() => {
    reads++;
    return hang ? new Promise<number>(() => {}) : Promise.resolve(reads);
  }, clock);
  assertEquals(await recent.get(), 1);
  hang = true;
  await clock.advance(1_000);
  for (let time = 0; time < 3; time++) {
    const asked = assertRejects(() => recent.get(), TimeoutError);
    await clock.advance(3_500);
    await asked;
  }
  assertEquals(reads, 2);
  assertEquals(clock.pending, 0);
});

Deno.test("what took longer than anybody waits is there for who asks again", async () => {
  const clock = new FakeClock();
  const { recent, reads } = counted(clock, 5_000);
  const asked = assertRejects(() => recent.get(), TimeoutError);
  await clock.advance(3_500);
  await asked;
  await clock.advance(16_500);
  assertEquals(await recent.get(), 1);
  await clock.advance(4_999);
  assertEquals([await recent.get(), reads()], [1, 1]);
});
