import { assertEquals } from "@std/assert";
import { type Beating, SessionBeats } from "../../../../../lib/adapters/postgres/tables/session_beat.ts";
import { FakeClock } from "../../../../../lib/testing/fake_clock.ts";

const BEAT_MS = 5000;

function transaction(state: Partial<Beating> = {}): Beating & { readonly beats: string[] } {
  const beats: string[] = [];
  return {
    ...{ busy: false, lost: false, beats, ...state },
    run: (text) => Promise.resolve(void beats.push(text)),
  };
}

Deno.test("a transaction that stays open gives a sign of life every few seconds", async () => {
  const clock = new FakeClock();
  const beats = new SessionBeats(clock);
  const open = transaction();
  beats.add(open);
  await clock.advance(BEAT_MS);
  assertEquals(open.beats, [], "a short one is left alone");
  await clock.advance(3 * BEAT_MS);
  assertEquals(open.beats.length, 3);
  beats.delete(open);
  assertEquals(clock.pending, 0);
});

Deno.test("one that asks something itself, or has no connection any more, is left alone", async () => {
  const clock = new FakeClock();
  const beats = new SessionBeats(clock);
  const [busy, lost] = [transaction({ busy: true }), transaction({ lost: true })];
  beats.add(busy);
  beats.add(lost);
  await clock.advance(5 * BEAT_MS);
  assertEquals([busy.beats, lost.beats], [[], []]);
  beats.close();
  beats.add(transaction());
  assertEquals(clock.pending, 0);
});

Deno.test("a refused beat is nobody's failure", async () => {
  const clock = new FakeClock();
  const beats = new SessionBeats(clock);
  beats.add({
    busy: false,
    lost: false,
    run: () => Promise.reject(new Error("current transaction is aborted")),
  });
  await clock.advance(4 * BEAT_MS);
  assertEquals(clock.pending, 1);
  beats.close();
});
