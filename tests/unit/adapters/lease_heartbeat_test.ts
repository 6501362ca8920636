import { assertEquals, assertThrows } from "@std/assert";
import { LeaseHeartbeat } from "../../../lib/adapters/lease_heartbeat.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ProviderUnavailableError } from "../../../lib/errors.ts";

Deno.test("a lease that nothing is done with beats every five seconds, one that is used does not", async () => {
  const clock = new FakeClock();
  let beats = 0;
  const heartbeat: LeaseHeartbeat = new LeaseHeartbeat(clock, () => {
    beats++;
    heartbeat.renewed();
    return Promise.resolve();
  });
  await clock.advance(61_000);
  assertEquals(beats, 12);
  for (let second = 0; second < 60; second++) {
    await clock.advance(1000);
    heartbeat.renewed();
  }
  assertEquals(beats, 12);
  await heartbeat.stop();
  await clock.advance(60_000);
  assertEquals([beats, clock.pending], [12, 0]);
});

Deno.test("a beat that does not get through is tried again in its time, and not at once", async () => {
  const clock = new FakeClock();
  let beats = 0;
  const heartbeat = new LeaseHeartbeat(clock, () => {
    beats++;
    return Promise.reject(new Error("not now"));
  });
  await clock.advance(30_000);
  assertEquals(beats, 6);
  await heartbeat.stop();
});

Deno.test("time in which the machine was suspended counts, though the monotonic clock stood still", async () => {
  class Suspendable extends FakeClock {
    suspended = 0;
    override now(): number {
      return super.now() + this.suspended;
    }
  }
  const clock = new Suspendable();
  const heartbeat = new LeaseHeartbeat(clock, () => Promise.resolve());
  clock.suspended = 60_000;
  assertThrows(() => heartbeat.assertHeld(), ProviderUnavailableError, "stood still for 60 s");
  heartbeat.renewed();
  heartbeat.assertHeld();
  await heartbeat.stop();
});

Deno.test("whoever was not heard of for twenty seconds may not believe to be the holder any more", async () => {
  const clock = new FakeClock();
  const heartbeat = new LeaseHeartbeat(clock, () => Promise.reject(new Error("not now")));
  await clock.advance(20_000);
  heartbeat.assertHeld();
  await clock.advance(1);
  assertThrows(() => heartbeat.assertHeld(), ProviderUnavailableError, "stood still for 20 s");
  heartbeat.renewed();
  heartbeat.assertHeld();
  await heartbeat.stop();
});
