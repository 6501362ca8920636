/**
 * What every lock must do, of databases and of brokers (house-plan 4): "only one of us", and knowing when one
 * is it no longer.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { Lock } from "../../adapters/ports.ts";
import { ProteanError } from "../../errors.ts";

/** A provider or a broker. */
export interface Locker {
  lock(name: string): Promise<Lock | undefined>;
  close(): Promise<void>;
}

/** Two instances on one backend, as two processes would have them. */
export interface LockFixture {
  readonly one: Locker;
  /** The same as `one` where the backend cannot be shared. */
  readonly other: Locker;
  /** Has somebody take the lock and die with it, as a killed process or a cut connection does. */
  dieWith(name: string): Promise<void>;
  /** Takes from `one` the lock of that name, which it holds. */
  takeAway(name: string): Promise<void>;
  /** Lets more time pass than a lock lives that is not renewed. */
  outlive(): Promise<void>;
  close(): Promise<void>;
}

/** Each with all the others must be different locks. */
const NAMES = [
  "",
  " ",
  "a",
  "A",
  "a ",
  "a\0b",
  "a\0c",
  'it\'s "quoted" \\ `so`; --',
  "{tag}:*?[x]",
  "%s $1 ?1 @p1",
  "line\nbreak\ttab",
  "ß",
  "é",
  "e\u0301",
  "日本語 🔒",
  "l".repeat(10_000),
  "l".repeat(9_999) + "m",
];

export function lockConformance(adapter: string, open: () => Promise<LockFixture>): void {
  const rule = (sentence: string, prove: (fixture: LockFixture) => Promise<void>) => {
    Deno.test(`${adapter} lock ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(fixture);
      } finally {
        await fixture.close();
      }
    });
  };

  rule("is held by one at a time, in one instance and among several", async ({ one, other }) => {
    const lock = await held(one, "cycle");
    assertEquals([lock.name, lock.signal.aborted], ["cycle", false]);
    assertEquals([await one.lock("cycle"), await other.lock("cycle")], [undefined, undefined]);
    await using elsewhere = await held(other, "another");
    assertEquals(elsewhere.name, "another");
    await lock[Symbol.asyncDispose]();
  });

  rule("goes to exactly one of many who ask at once", async ({ one, other }) => {
    const asked = Array.from({ length: 20 }, (_, index) => (index % 2 ? one : other).lock("race"));
    const granted = (await Promise.all(asked)).filter((lock) => lock !== undefined);
    assertEquals(granted.length, 1);
    for (const lock of granted) await lock[Symbol.asyncDispose]();
  });

  rule("is free once it is released, without its signal aborting", async ({ one, other }) => {
    const lock = await held(one, "cycle");
    await lock[Symbol.asyncDispose]();
    const next = await held(other, "cycle");
    await lock[Symbol.asyncDispose]();
    assertEquals([lock.signal.aborted, next.signal.aborted], [false, false]);
    assertEquals(await one.lock("cycle"), undefined, "a second release does not release another's");
    await next[Symbol.asyncDispose]();
    await using _ = await held(one, "cycle");
  });

  rule("is kept for longer than it lives unless renewed", async ({ one, other, outlive }) => {
    await using lock = await held(one, "long");
    await outlive();
    assertEquals([lock.signal.aborted, await other.lock("long")], [false, undefined]);
  });

  rule("is free again when its holder has died", async ({ one, dieWith }) => {
    await dieWith("inherited");
    await using _ = await eventually(one, "inherited");
  });

  rule("aborts its signal when it is lost, and is released for nobody else then", async (fixture) => {
    const { one, other } = fixture;
    const lock = await held(one, "lost");
    await fixture.takeAway("lost");
    await aborted(lock.signal);
    assertInstanceOf(lock.signal.reason, ProteanError);
    assertEquals(lock.signal.reason.code, "LOCK_LOST");
    const next = await eventually(other, "lost");
    await lock[Symbol.asyncDispose]();
    if (one !== other) assertEquals(await one.lock("lost"), undefined);
    await next[Symbol.asyncDispose]();
  });

  rule("may have any name, of any length", async ({ one, other }) => {
    const locks: Lock[] = [];
    for (const name of NAMES) {
      const lock = await held(one, name);
      assertEquals(lock.name, name);
      locks.push(lock);
    }
    for (const name of NAMES) assertEquals(await other.lock(name), undefined, JSON.stringify(name));
    for (const lock of locks) await lock[Symbol.asyncDispose]();
  });

  rule("is lost and released when its adapter is closed", async ({ one, other }) => {
    const [first, second] = [await held(one, "first"), await held(one, "second")];
    if (one === other) {
      await one.close();
    } else {
      await one.close();
      await using _ = await held(other, "first");
      await using __ = await held(other, "second");
    }
    assertEquals([first.signal.aborted, second.signal.aborted], [true, true]);
    await first[Symbol.asyncDispose]();
  });
}

/** The lock, which must be free. */
async function held(locker: Locker, name: string): Promise<Lock> {
  const lock = await locker.lock(name);
  assert(lock, `${JSON.stringify(name)} is free`);
  return lock;
}

/** The lock, as soon as it is free. */
async function eventually(locker: Locker, name: string): Promise<Lock> {
  let lock: Lock | undefined;
  await until(async () => (lock = await locker.lock(name)) !== undefined, `the lock '${name}' is free`);
  assert(lock);
  return lock;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Another process is asked again and again: there is no event to wait for. */
async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`Not within a minute: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
