import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { deadline, firstOf, joined, onAbort, timeLimit, TimeoutError } from "../../../lib/async/abort.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

Deno.test("firstOf aborts with the first of its signals and keeps that reason", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const first = firstOf(a.signal, b.signal);
  assertFalse(first.aborted);
  b.abort("b");
  a.abort("a");
  assertEquals(first.reason, "b");
});

Deno.test("firstOf is aborted from the start when one of its signals is", () => {
  assertEquals(firstOf(new AbortController().signal, AbortSignal.abort("before")).reason, "before");
});

Deno.test("firstOf never aborts without signals", () => {
  assertFalse(firstOf().aborted);
});

Deno.test("firstOf aborts also when only its listeners know of it and memory was collected", async () => {
  const script = `
    import { firstOf } from ${JSON.stringify(new URL("../../../lib/async/abort.ts", import.meta.url).href)};
    const [a, b] = [new AbortController(), new AbortController()];
    const aborted = new Promise((resolve) => firstOf(a.signal, b.signal).addEventListener("abort", resolve));
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve));
      gc();
    }
    a.abort();
    await aborted;
  `;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", script],
  }).output();
  assert(success);
});

Deno.test("onAbort calls once with the reason, at once where it has aborted, and not after it was disposed", () => {
  const reasons: unknown[] = [];
  const note = (reason: unknown) => reasons.push(reason);
  const [listening, disposed] = [new AbortController(), new AbortController()];
  {
    using _ = onAbort(disposed.signal, note);
  }
  onAbort(listening.signal, note);
  using _ = onAbort(AbortSignal.abort("before"), note);
  using _none = onAbort(undefined, note);
  disposed.abort("late");
  listening.abort("first");
  listening.abort("second");
  assertEquals(reasons, ["before", "first"]);
});

Deno.test("joined aborts with the first of its signals until it is disposed, and needs none", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const first = joined(a.signal, undefined, b.signal);
  const disposed = joined(a.signal, b.signal);
  disposed[Symbol.dispose]();
  b.abort("b");
  a.abort("a");
  assertEquals(first.signal.reason, "b");
  assertFalse(disposed.signal.aborted);
  assertFalse(joined(undefined).signal.aborted);
});

Deno.test("timeLimit aborts when the time is over or the signal aborts, and leaves no timer when disposed", async () => {
  const clock = new FakeClock();
  const outer = new AbortController();
  const late = timeLimit(2500, clock);
  const cut = timeLimit(2500, clock, outer.signal);
  outer.abort("cut");
  assertEquals(cut.signal.reason, "cut");
  await clock.advance(2499);
  assertFalse(late.signal.aborted);
  await clock.advance(1);
  assertInstanceOf(late.signal.reason, TimeoutError);
  assertEquals(late.signal.reason.message, "no answer within 2.5 s");
  {
    using _ = timeLimit(1000, clock);
    assertEquals(clock.pending, 1);
  }
  assertEquals(clock.pending, 0);
});

Deno.test("deadline settles as the work does when that is in time", async () => {
  const clock = new FakeClock();
  assertEquals(await deadline(() => Promise.resolve(1), 1000, clock), 1);
  await assertRejects(
    () => deadline(() => Promise.reject(new Error("failed")), 1000, clock),
    Error,
    "failed",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("deadline rejects when the time is over, tells the work, and waits for it no longer", async () => {
  const clock = new FakeClock();
  let told: unknown;
  const late = deadline(
    (signal) => {
      onAbort(signal, (reason) => told = reason);
      return new Promise(() => {});
    },
    1000,
    clock,
  ).catch((reason) => reason);
  await clock.advance(1000);
  assertInstanceOf(await late, TimeoutError);
  assertStrictEquals(told, await late);
});

Deno.test("deadline rejects with the signal's reason, and begins nothing under one that has aborted", async () => {
  const clock = new FakeClock();
  const outer = new AbortController();
  const cut = deadline(() => new Promise(() => {}), 1000, clock, outer.signal).catch((reason) => reason);
  outer.abort("cut");
  assertEquals(await cut, "cut");
  assertEquals(clock.pending, 0);
  let begun = false;
  const work = () => Promise.resolve(begun = true);
  assertEquals(await deadline(work, 1000, clock, outer.signal).catch((reason) => reason), "cut");
  assertFalse(begun);
});
