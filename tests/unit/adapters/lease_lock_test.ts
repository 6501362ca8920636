import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HeldLocks, type LeaseLock } from "../../../lib/adapters/lease_lock.ts";
import { type Clock, momentOf } from "../../../lib/async/clock.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ProteanError } from "../../../lib/errors.ts";

const TTL_MS = 10_000;

interface Rig {
  readonly clock: FakeClock;
  readonly lock: LeaseLock;
  readonly held: HeldLocks;
  /** Calls so far. */
  readonly calls: { renew: number; release: number };
  /** What the backend answers to a renewal. */
  answer: () => Promise<boolean>;
}

/**
 * Time that has passed without any timer having fired; `suspended`: the monotonic scale has not counted it.
 */
interface Stopped {
  ms: number;
  readonly suspended?: boolean;
}

/** A lock on a backend that answers as it is told. */
function rig(stopped: Stopped = { ms: 0 }): Rig {
  const fake = new FakeClock();
  const clock: Clock = {
    now: () => fake.now() + stopped.ms,
    monotonic: () => fake.monotonic() + (stopped.suspended ? 0 : stopped.ms),
    after: (ms, callback) => fake.after(ms, callback),
  };
  const calls = { renew: 0, release: 0 };
  const held = new HeldLocks();
  const made: Rig = {
    clock: fake,
    held,
    calls,
    answer: () => Promise.resolve(true),
    lock: held.hold({
      ...{ name: "cycle", clock, ttlMs: TTL_MS, since: momentOf(clock) },
      renew: () => {
        calls.renew++;
        return made.answer();
      },
      release: () => {
        calls.release++;
        return Promise.resolve();
      },
    }),
  };
  return made;
}

Deno.test("LeaseLock is renewed for as long as it is held, and leaves no timer behind", async () => {
  const { clock, lock, calls } = rig();
  await clock.advance(TTL_MS * 5);
  assertEquals([lock.signal.aborted, calls.renew], [false, 20]);
  await lock[Symbol.asyncDispose]();
  await lock[Symbol.asyncDispose]();
  assertEquals([lock.signal.aborted, calls.release, clock.pending], [false, 1, 0]);
});

Deno.test("LeaseLock is lost when a renewal finds another holder", async () => {
  const made = rig();
  made.answer = () => Promise.resolve(false);
  await made.clock.advance(TTL_MS / 4);
  assertEquals([made.lock.signal.aborted, made.clock.pending], [true, 0]);
  const error = assertThrows(() => made.lock.signal.throwIfAborted(), ProteanError, "somebody else has it");
  assertEquals(error.code, "LOCK_LOST");
});

Deno.test("LeaseLock outlives renewals that fail, and is lost before its time to live has run out", async () => {
  const made = rig();
  made.answer = () => Promise.reject(new Error("the backend is away"));
  await made.clock.advance(TTL_MS * 0.8);
  assertEquals(made.lock.signal.aborted, false);
  made.answer = () => Promise.resolve(true);
  await made.clock.advance(TTL_MS);
  assertEquals(made.lock.signal.aborted, false);
  made.answer = () => Promise.reject(new Error("the backend is away"));
  await made.clock.advance(TTL_MS);
  assertEquals([made.lock.signal.aborted, made.clock.pending], [true, 0]);
});

Deno.test("LeaseLock is lost in time although a renewal is never answered", async () => {
  const made = rig();
  made.answer = () => new Promise(() => {});
  await made.clock.advance(TTL_MS);
  assertEquals([made.lock.signal.aborted, made.clock.pending], [true, 0]);
});

Deno.test("LeaseLock does not trust a renewal that was answered after its time", async () => {
  const stopped = { ms: 0 };
  const made = rig(stopped);
  const answer = Promise.withResolvers<boolean>();
  made.answer = () => answer.promise;
  await made.clock.advance(TTL_MS / 4);
  stopped.ms = TTL_MS;
  answer.resolve(true);
  await made.clock.advance(0);
  assertEquals(made.lock.signal.aborted, true);
});

for (const suspended of [false, true]) {
  const who = suspended ? "a suspended machine" : "a process that stood still";
  Deno.test(`${who} finds the signal of its lock aborted before any of its timers fires`, async () => {
    const stopped = { ms: 0, suspended };
    const { lock, calls, clock } = rig(stopped);
    const { signal } = lock;
    let told = false;
    signal.addEventListener("abort", () => told = true);
    assertEquals(signal.aborted, false);
    stopped.ms = TTL_MS;
    assertEquals([signal.aborted, told], [true, true]);
    assertThrows(() => signal.throwIfAborted(), ProteanError, "could not be renewed");
    await clock.advance(0);
    assertEquals([calls.release, clock.pending], [1, 0]);
  });
}

Deno.test("who only listens hears of a suspended machine at the next renewal, answered or not", async () => {
  const stopped = { ms: 0, suspended: true };
  const made = rig(stopped);
  made.answer = () => new Promise(() => {});
  let told = false;
  made.lock.signal.addEventListener("abort", () => told = true);
  stopped.ms = TTL_MS;
  await made.clock.advance(TTL_MS / 4);
  assertEquals([told, made.calls.renew], [true, 0]);
});

Deno.test("LeaseLock tells nothing of a release that fails", async () => {
  const { clock } = rig();
  const held = new HeldLocks();
  const lock = held.hold({
    ...{ name: "cycle", clock, ttlMs: TTL_MS, since: momentOf(clock) },
    renew: () => Promise.resolve(true),
    release: () => Promise.reject(new Error("the backend is away")),
  });
  await lock[Symbol.asyncDispose]();
  await held.close();
});

Deno.test("HeldLocks loses every lock when it is closed, and those granted afterwards", async () => {
  const { held, lock, calls, clock } = rig();
  await held.close();
  assertEquals([lock.signal.aborted, calls.release], [true, 1]);
  const late = held.hold({
    ...{ name: "late", clock, ttlMs: TTL_MS, since: momentOf(clock) },
    renew: () => Promise.resolve(true),
    release: () => Promise.resolve(),
  });
  await assertRejects(() => Promise.try(() => late.signal.throwIfAborted()), ProteanError, "closed");
  assertEquals(clock.pending, 0);
});
