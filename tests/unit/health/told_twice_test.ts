/** When a process that is told twice to stop is ended from another thread. */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { endWhenToldTwice } from "../../../lib/health/told_twice.ts";

function rig() {
  const clock = new FakeClock();
  const state = { blocked: false, kills: 0 };
  let signal = () => {};
  void endWhenToldTwice({
    clock,
    blocked: () => state.blocked,
    listen: (heard) => signal = heard,
    kill: () => state.kills++,
  });
  return { clock, state, signal: () => signal() };
}

Deno.test("a blocked loop is ended at the second signal, and not at the first or its echo", async () => {
  const { clock, state, signal } = rig();
  state.blocked = true;
  signal();
  await clock.advance(249);
  signal();
  await clock.advance(10_000);
  assertEquals(state.kills, 0);
  signal();
  await clock.advance(0);
  assertEquals(state.kills, 1);
});

Deno.test("a loop that turns ends by itself; one that is blocked later is ended then", async () => {
  const { clock, state, signal } = rig();
  signal();
  await clock.advance(300);
  signal();
  await clock.advance(60_000);
  assertEquals(state.kills, 0);
  state.blocked = true;
  await clock.advance(100);
  assertEquals(state.kills, 1);
  assertEquals(clock.pending, 0);
});
