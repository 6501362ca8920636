/** Event-store subscriptions: positions, failures, passes, checkpoints, one owner (wire 4.6, S60 to S62). */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { DeadLetterEntry } from "../../../lib/domain/types.ts";
import { DeadLetter, Discard, ProviderUnavailableError, RetryAfter } from "../../../lib/errors.ts";
import { WorkHealth } from "../../../lib/status/work_health.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import type { Lock } from "../../../lib/adapters/ports.ts";
import { checkpointStream, failedStream, positionStream } from "../../../lib/message/names.ts";
import { keptFailures } from "../../../lib/status/store_progress.ts";
import { EventStoreRig, storedCommand, storedEvent } from "../../support/event_store_rig.ts";
import { CATEGORY, ScriptedRunner } from "../../support/subscription_rig.ts";

const bug = () => {
  throw new Error("bug");
};

Deno.test("a category is read in order from its beginning, and from its position after a restart", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1 b1 a2");
  const first = await rig.started(runner);
  await rig.append("a3");
  assertEquals(runner.log, "a1 b1 a2 a3");
  await rig.close(first);
  await rig.append("b2");
  const second = await rig.started(runner);
  assertEquals(runner.log, "a1 b1 a2 a3 b2");
  await rig.close(second);
  assertEquals(rig.clock.pending, 0);
});

Deno.test("messages that are appended wake the reader without a timer", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner);
  await rig.store.append([storedEvent("a", 1)]);
  await rig.clock.advance(0);
  assertEquals(runner.log, "a1");
  await rig.close(subscription);
});

Deno.test("the position is kept after every so many messages, when nothing more comes, and at the end", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const release = Promise.withResolvers<void>();
  runner.work = ({ n }) => n === 8 ? release.promise : undefined;
  const subscription = await rig.started(runner, { positionUpdateInterval: 3 });
  await rig.append("a1 a2 a3 a4 a5 a6 a7 a8 a9");
  // The first is that of the beginning.
  assertEquals(await rig.positions(runner), [-1, 3, 6]);
  release.resolve();
  await rig.clock.advance(10);
  assertEquals(await rig.positions(runner), [-1, 3, 6, 9]);
  await rig.append("a10");
  await rig.clock.advance(1000);
  const kept = await rig.positions(runner);
  assertEquals(kept.at(-1), (await rig.store.last(CATEGORY))?.globalPosition);
  await rig.append("b1");
  await rig.close(subscription);
  assertEquals((await rig.positions(runner)).at(-1), (await rig.store.last(CATEGORY))?.globalPosition);
});

Deno.test("positions are Read records with the metadata that Python reads, and nothing else", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner);
  await rig.append("a1");
  await rig.close(subscription);
  const stream = `position-shop.OrderEventHandler-${CATEGORY}`;
  const record = await rig.store.last(stream);
  assertEquals([record?.stream, record?.type, record?.data], [stream, "Read", '{"position":1}']);
  const metadata = JSON.parse(record?.metadata ?? "null");
  assert(/^[0-9a-f-]{36}$/.test(metadata.headers.id));
  metadata.headers.id = "";
  assertEquals(metadata, {
    headers: { id: "", type: "Read", time: metadata.headers.time, stream },
    domain: { kind: "READ_POSITION", origin_stream: CATEGORY },
  });
});

Deno.test("S60: what fails is tried again in max_retries passes, and then recorded as exhausted", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner(({ id }) => id === "a" ? bug() : undefined);
  const subscription = await rig.started(runner, { maxRetries: 2 });
  await rig.append("a1 b1");
  assertEquals(runner.log, "a1 b1");
  for (const log of ["a1 b1 a1", "a1 b1 a1 a1", "a1 b1 a1 a1"]) {
    await rig.clock.advance(30_000);
    assertEquals(runner.log, log);
  }
  assertEquals(await rig.failures(runner), ["Failed 1 0", "Failed 1 1", "Failed 1 2", "Exhausted 1 2"]);
  await rig.clock.advance(300_000);
  assertEquals(runner.log, "a1 b1 a1 a1");
  assertEquals([subscription.counters.setAside, subscription.counters.exhausted], [3, 1]);
  await rig.close(subscription);
});

Deno.test("what an operator has recorded of a message is taken up at the next pass of a running server", async () => {
  const rig = new EventStoreRig();
  let broken = true;
  const runner = new ScriptedRunner(({ id }) => broken && id !== "c" ? bug() : undefined);
  const subscription = await rig.started(runner, { maxRetries: 1 });
  await rig.append("a1 b1 c1");
  await rig.clock.advance(60_000);
  const given = ["Exhausted 1 1", "Exhausted 2 1"];
  assertEquals((await rig.failures(runner)).slice(-2), given);
  broken = false;
  const stream = failedStream(runner.group, CATEGORY);
  await rig.record(stream, "Failed", { position: 1, message_id: "m", message_type: "t", retry_count: 0 });
  await rig.record(stream, "Purged", { position: 2, message_id: "m", message_type: "t", retry_count: 1 });
  await rig.clock.advance(35_000);
  assertEquals((await rig.failures(runner)).slice(-4), [
    "Failed 1 0",
    "Purged 2 1",
    "Failed 1 1",
    "Resolved 1 1",
  ]);
  assertEquals(runner.log, "a1 b1 c1 a1 b1 a1");
  await rig.append("c2");
  assertEquals(runner.log, "a1 b1 c1 a1 b1 a1 c2");
  await rig.close(subscription);
});

Deno.test("what succeeds in a pass is resolved", async () => {
  const rig = new EventStoreRig();
  let broken = true;
  const runner = new ScriptedRunner(() => broken ? bug() : undefined);
  const subscription = await rig.started(runner);
  await rig.append("a1");
  broken = false;
  await rig.clock.advance(30_000);
  assertEquals(await rig.failures(runner), ["Failed 1 0", "Failed 1 1", "Resolved 1 1"]);
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 a1");
  const record = await rig.store.last(failedStream(runner.group, CATEGORY));
  assertEquals(JSON.parse(record?.data ?? "null"), {
    position: 1,
    message_type: "Shop.OrderPlaced.v1",
    message_id: `${CATEGORY}-a-1`,
    retry_count: 1,
    stream_name: `${CATEGORY}-a`,
    stream_position: 0,
  });
  await rig.close(subscription);
});

Deno.test("S61: the position does not pass a failure that could not be recorded; it is recorded later", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner(({ id }) => id === "a" ? bug() : undefined);
  let refused = 0;
  rig.store.refuse = (operation, stream) =>
    operation === "append" && stream.startsWith("failed-") && refused++ < 2 ? "disk full" : undefined;
  const subscription = await rig.started(runner, { positionUpdateInterval: 1 });
  await rig.append("a1 b1 b2");
  assertEquals(runner.log, "a1 b1 b2");
  assertEquals(await rig.positions(runner), [-1]);
  await rig.clock.advance(10_000);
  assertEquals(await rig.failures(runner), ["Failed 1 0"]);
  assertEquals((await rig.positions(runner)).at(-1), 3);
  // It ran once: only the record was tried again.
  assertEquals(runner.log, "a1 b1 b2");
  await rig.close(subscription);
});

Deno.test("S62: a restart takes up what is open from the checkpoint and newer records", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner(bug);
  await rig.append("a1 b1 c1 d1");
  await rig.close(await rig.started(runner, { maxRetries: 5, recoveryIntervalSeconds: 1000 }));
  assertEquals(runner.log, "a1 b1 c1 d1");
  const failed = failedStream(runner.group, CATEGORY);
  await rig.record(failed, "Resolved", { position: 1, retry_count: 1 });
  await rig.record(failed, "Exhausted", { position: 2, retry_count: 1 });
  await rig.record(failed, "Purged", { position: 3, retry_count: 1 });
  const second = new ScriptedRunner();
  await rig.close(await rig.started(second, { recoveryIntervalSeconds: 1000 }));
  assertEquals(second.log, "d1");
  const [checkpoint, more] = await rig.checkpoints(runner);
  assertEquals(more, undefined);
  assertEquals(checkpoint, {
    watermark: 7,
    unresolved: { "4": { retry_count: 0, stream_name: `${CATEGORY}-d`, stream_position: 0 } },
  });
  assertEquals((await rig.failures(runner)).at(-1), "Resolved 4 1");
  // Newer records alone are read now.
  const reads: string[] = [];
  rig.store.refuse = (operation, stream) => {
    if (operation === "read" && stream === failed) reads.push(stream);
    return undefined;
  };
  const third = new ScriptedRunner();
  await rig.close(await rig.started(third));
  assertEquals([third.log, reads.length], ["", 1]);
});

Deno.test("records of Protean 0.17, which do not say the stream, are found by their global position", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1 b1");
  await rig.record(positionStream(runner.group, CATEGORY), "Read", { position: 2 });
  await rig.record(failedStream(runner.group, CATEGORY), "Failed", { position: 2, retry_count: 0 });
  const subscription = await rig.started(runner);
  assertEquals(runner.log, "b1");
  assertEquals((await rig.failures(runner)).at(-1), "Resolved 2 1");
  await rig.close(subscription);
});

Deno.test("a message whose failure was recorded when the process died is not run by the main read too", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1 b1 c1");
  const failed = failedStream(runner.group, CATEGORY);
  await rig.record(failed, "Failed", {
    position: 1,
    retry_count: 0,
    stream_name: `${CATEGORY}-a`,
    stream_position: 0,
  });
  await rig.record(failed, "Failed", { position: 2, retry_count: 3 });
  await rig.record(failed, "Exhausted", { position: 2, retry_count: 3 });
  const subscription = await rig.started(runner);
  assertEquals(runner.log.split(" ").sort(), ["a1", "c1"]);
  await rig.close(subscription);
});

/** A process that can die: nothing it asks of the store is answered any more, and its lock is gone. */
function mortal(
  rig: EventStoreRig,
  dies: (operation: string, nth: number) => "before" | "after" | undefined,
) {
  let dead = false;
  let appends = 0;
  const never = new Promise<never>(() => {});
  const store = new Proxy(rig.store, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (dead) return never;
        const death = key === "append" ? dies(String(key), ++appends) : undefined;
        if (!death) return member.apply(target, args);
        dead = true;
        if (death === "after") member.apply(target, args);
        return never;
      };
    },
  });
  const options = { name: "default", domain: "shop", settings: {}, folder: ".", clock: rig.clock };
  return {
    store,
    locks: [new MemoryProvider(options)],
    kill: () => void (dead = true),
    get appends() {
      return appends;
    },
  };
}

Deno.test("a message that kills its process ends as exhausted after a bounded number of deaths", async () => {
  const rig = new EventStoreRig();
  await rig.append("a1 a2 a3 b1");
  let deaths = 0;
  const handled: string[] = [];
  for (let died = true; died && deaths < 30;) {
    died = false;
    const runner = new ScriptedRunner(({ id, n }) => {
      if (`${id}${n}` !== "a2") return void handled.push(`${id}${n}`);
      died = true;
      return new Promise(() => {});
    });
    const { store, locks, kill } = mortal(rig, () => undefined);
    const change = { store, locks, maxRetries: 2, recoveryIntervalSeconds: 1 };
    const subscription = await rig.started(runner, change);
    await rig.clock.advance(5_000);
    if (died) {
      deaths++;
      kill();
    } else await rig.close(subscription);
  }
  assert(deaths >= 3 && deaths <= 6, `${deaths} deaths`);
  const recorded = await rig.failures(new ScriptedRunner());
  assertEquals(recorded.filter((record) => record.startsWith("Exhausted")), ["Exhausted 2 2"]);
  // What came behind it was not held up for good.
  assert(handled.includes("a3") && handled.includes("b1"));
});

Deno.test("wherever a process dies, the next one loses nothing, and leaves nothing open", async () => {
  const messages = "a1 b1 a2 b2 a3 b3".split(" ");
  /** Runs a process until it has worked off everything, or has died; returns what it wrote. */
  const live = async (
    rig: EventStoreRig,
    handled: string[],
    dies: (operation: string, nth: number) => "before" | "after" | undefined,
  ) => {
    let fails = true;
    const runner = new ScriptedRunner(({ id, n }) => {
      if (fails && (`${id}${n}` === "b1" || `${id}${n}` === "a2")) bug();
      handled.push(`${id}${n}`);
    });
    const process = mortal(rig, dies);
    const { store, locks } = process;
    const subscription = await rig.started(runner, { store, locks, positionUpdateInterval: 2 });
    fails = false;
    await rig.clock.advance(120_000);
    const stopping = subscription.stop();
    await rig.clock.advance(1000);
    // One that is dead does not end by itself.
    subscription.abandon();
    await rig.clock.advance(15_000);
    await stopping;
    return process.appends;
  };
  const whole = new EventStoreRig();
  await whole.append(messages.join(" "));
  const appends = await live(whole, [], () => undefined);
  assert(appends > 8, `${appends} records`);
  for (const death of ["before", "after"] as const) {
    for (let at = 1; at <= appends; at++) {
      const rig = new EventStoreRig();
      await rig.append(messages.join(" "));
      const handled: string[] = [];
      await live(rig, handled, (_, nth) => nth === at ? death : undefined);
      await live(rig, handled, () => undefined);
      const point = `dead ${death} record ${at}`;
      assertEquals(messages.filter((message) => !handled.includes(message)), [], point);
      const kept = await keptFailures(rig.store, { group: "shop.OrderEventHandler", category: CATEGORY });
      assertEquals([...kept.unresolved.keys()], [], point);
      assertEquals((await rig.positions(new ScriptedRunner())).at(-1), messages.length, point);
    }
  }
});

Deno.test("what cannot be a message is exhausted at once, and what follows goes on", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const good = storedEvent("a", 1);
  const broken = [
    { ...good, data: "{oops" },
    { ...good, data: "[1]" },
    { ...good, data: '{"id":"a","n":7}' },
    { ...good, metadata: { ...good.metadata, domain: { ...good.metadata.domain, kind: "OTHER" } } } as never,
    { ...good, metadata: { ...good.metadata, headers: { ...good.metadata.headers, type: 7 } } } as never,
  ];
  const subscription = await rig.started(runner);
  await rig.appendAll([...broken, storedEvent("b", 1)]);
  assertEquals(runner.log, "b1");
  assertEquals(subscription.counters.exhausted, 5);
  assertEquals((await rig.failures(runner)).every((record) => /^Exhausted \d+ 0$/.test(record)), true);
  assertEquals((await rig.failures(runner)).length, 5);
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "b1");
  await rig.close(subscription);
});

Deno.test("types that the handler does not know are passed over or given up as its verdict says", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  runner.judge = ({ metadata: { headers: { type } } }) =>
    type === "Shop.Other.v1"
      ? { kind: "ignored" }
      : type === "Shop.Unknown.v1"
      ? { kind: "poison", error: new Error("not registered") }
      : { kind: "run", plan: undefined };
  const subscription = await rig.started(runner);
  await rig.appendAll([
    storedEvent("a", 1, "Shop.Other.v1"),
    storedEvent("a", 2, "Shop.Unknown.v1"),
    storedEvent("a", 3),
  ]);
  assertEquals(runner.log, "a3");
  assertEquals(subscription.counters.ignored, 1);
  assertEquals((await rig.failures(runner)).length, 1);
  await rig.close(subscription);
});

Deno.test("what its sender has handled itself is passed over", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner);
  await rig.appendAll([storedCommand("a", 1, false), storedCommand("a", 2, true)]);
  assertEquals(runner.log, "a2");
  await rig.close(subscription);
  assertEquals((await rig.positions(runner)).at(-1), 2);
});

Deno.test("a position beyond the end of the store is not believed: what comes next is handled", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1");
  await rig.record(positionStream(runner.group, CATEGORY), "Read", { position: 1_000_000 });
  const subscription = await rig.started(runner);
  await rig.append("a2 a3");
  assertEquals(runner.log, "a2 a3");
  await rig.close(subscription);
  const restarted = await rig.started(runner);
  assertEquals(runner.log, "a2 a3");
  await rig.close(restarted);
});

Deno.test("positions and checkpoints that nobody can read are passed over", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1 a2");
  const stream = positionStream(runner.group, CATEGORY);
  await rig.record(stream, "Read", { position: 1 });
  for (
    const data of ["{oops", "7", { position: "2" }, { position: -5 }, { position: 1e300 }, { position: 0.5 }]
  ) {
    await rig.record(stream, "Read", data);
  }
  await rig.record(stream, "Other", { position: 2 });
  for (const data of ["{oops", { watermark: "x" }, { watermark: 99, unresolved: 3 }]) {
    await rig.record(checkpointStream(runner.group, CATEGORY), "Checkpoint", data);
  }
  for (const data of ["{oops", { position: null }, { position: 1.5, retry_count: "x" }]) {
    await rig.record(failedStream(runner.group, CATEGORY), "Failed", data);
  }
  const subscription = await rig.started(runner);
  assertEquals(runner.log, "a2");
  await rig.close(subscription);
});

Deno.test("messages of one aggregate are handled in order, those of others at once", async () => {
  const rig = new EventStoreRig();
  const released = new Map<string, () => void>();
  const runner = new ScriptedRunner(({ id, n }) =>
    new Promise<void>((resolve) => released.set(`${id}${n}`, resolve))
  );
  const subscription = await rig.started(runner, { concurrency: 4, positionUpdateInterval: 1 });
  await rig.append("a1 a2 b1");
  assertEquals(runner.log, "a1 b1");
  released.get("b1")?.();
  await rig.clock.advance(300);
  // What is beyond an open message is not passed by the position.
  assertEquals(await rig.positions(runner), [-1]);
  released.get("a1")?.();
  await rig.clock.advance(10);
  assertEquals(runner.log, "a1 b1 a2");
  released.get("a2")?.();
  await rig.close(subscription);
  assertEquals((await rig.positions(runner)).at(-1), 3);
});

Deno.test("one of two replicas reads; the other takes over within five seconds of its end", async () => {
  const rig = new EventStoreRig();
  const [first, second] = [new ScriptedRunner(), new ScriptedRunner()];
  const owner = await rig.started(first);
  const standby = await rig.started(second);
  await rig.append("a1 a2");
  assertEquals([first.log, second.log], ["a1 a2", ""]);
  const stopping = owner.stop();
  await rig.clock.advance(0);
  await stopping;
  await rig.append("a3");
  await rig.clock.advance(5_000);
  assertEquals([first.log, second.log], ["a1 a2", "a3"]);
  await rig.close(standby);
});

/** Locks that are lost when the test says so. */
class LosableLocks {
  #lost = new AbortController();

  lock(name: string): Promise<Lock> {
    this.#lost = new AbortController();
    return Promise.resolve({
      name,
      signal: this.#lost.signal,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }

  lose(): void {
    this.#lost.abort(new Error("lost"));
  }
}

Deno.test("a handler whose lock is lost may not commit, and nothing more is written", async () => {
  const rig = new EventStoreRig();
  const locks = new LosableLocks();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = await rig.started(runner, { locks: [locks] as never });
  await rig.append("a1");
  const [call] = runner.calls;
  assertEquals([call?.options.mayCommit(), call?.options.signal.aborted], [true, false]);
  locks.lose();
  assertEquals([call?.options.mayCommit(), call?.options.signal.aborted], [false, true]);
  assertEquals(await rig.positions(runner), [-1]);
  // It is the owner again, and reads again what was lost.
  await rig.clock.advance(3_000);
  assertEquals(runner.log, "a1 a1");
  assertEquals(runner.calls[0]?.options.mayCommit(), false);
  assertEquals(runner.calls[1]?.options.mayCommit(), true);
  release.resolve();
  await rig.close(subscription);
  assertEquals((await rig.positions(runner)).at(-1), 1);
});

Deno.test("a lock that has run out unseen, as in a process that stood still, refuses the commit by itself", async () => {
  const rig = new EventStoreRig();
  const { signal } = new AbortController();
  let isOver = false;
  Object.defineProperty(signal, "aborted", { get: () => isOver });
  const lock = { name: "l", signal, [Symbol.asyncDispose]: () => Promise.resolve() };
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = await rig.started(runner, { locks: [{ lock: () => Promise.resolve(lock) }] as never });
  await rig.append("a1");
  const [call] = runner.calls;
  assertEquals(call?.options.mayCommit(), true);
  isOver = true;
  assertEquals(call?.options.mayCommit(), false);
  release.resolve();
  await rig.clock.advance(1000);
  assertEquals(await rig.positions(runner), [-1]);
  await rig.close(subscription);
});

Deno.test("whoever finds that somebody else has written its position begins anew from there", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner, { positionUpdateInterval: 1 });
  await rig.append("a1");
  await rig.append("a2");
  await rig.record(positionStream(runner.group, CATEGORY), "Read", { position: 1 });
  await rig.append("a3");
  await rig.clock.advance(5_000);
  await rig.append("a4");
  await rig.clock.advance(1_000);
  assertEquals(runner.log, "a1 a2 a3 a2 a3 a4");
  assertEquals((await rig.positions(runner)).at(-1), (await rig.store.last(CATEGORY))?.globalPosition);
  await rig.close(subscription);
});

Deno.test("a store that is away is asked again, and what was read is not lost", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  await rig.append("a1");
  let away = true;
  rig.store.refuse = () => away ? "the file is gone" : undefined;
  const subscription = await rig.started(runner);
  await rig.clock.advance(20_000);
  assertEquals(runner.log, "");
  away = false;
  await rig.clock.advance(6_000);
  assertEquals(runner.log, "a1");
  away = true;
  await rig.clock.advance(20_000);
  away = false;
  await rig.clock.advance(6_000);
  await rig.append("a2");
  assertEquals(runner.log, "a1 a2");
  await rig.close(subscription);
});

Deno.test("a drain waits for the handler, keeps its position, and counts what was cut", async () => {
  const rig = new EventStoreRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(({ n }) => n === 1 ? release.promise : undefined);
  const subscription = await rig.started(runner);
  await rig.append("a1 b2");
  const stopping = subscription.stop();
  await rig.clock.advance(100);
  release.resolve();
  await rig.clock.advance(1000);
  await stopping;
  assertEquals(runner.log, "a1");
  assertEquals((await rig.positions(runner)).at(-1), 1);
  assertEquals([subscription.counters.cut, subscription.counters.unacknowledged], [0, 0]);

  const hangs = new ScriptedRunner(({ options: { signal } }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  );
  const second = await rig.started(hangs);
  const cutting = second.stop();
  await rig.clock.advance(10);
  second.cut();
  await rig.clock.advance(10);
  second.abandon();
  await rig.clock.advance(2000);
  await cutting;
  assertEquals(second.counters.cut, 1);
  assertEquals((await rig.positions(runner)).at(-1), 1);
  assertEquals(await rig.failures(runner), []);
  await rig.close();
});

Deno.test("what a drain could not keep is counted, so that its exit code says so", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner);
  await rig.append("a1 b2");
  rig.store.refuse = (operation) => operation === "append" ? "read-only" : undefined;
  const stopping = subscription.stop();
  await rig.clock.advance(15_000);
  await stopping;
  assertEquals(subscription.counters.unacknowledged, 2);
  await rig.close();
});

Deno.test("without recovery a failure is given up at once", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner(bug);
  const subscription = await rig.started(runner, { recoveryIntervalSeconds: undefined });
  await rig.append("a1");
  await rig.clock.advance(100_000);
  assertEquals([runner.log, await rig.failures(runner)], ["a1", ["Exhausted 1 0"]]);
  await rig.close(subscription);
});

Deno.test("without recovery the handler is told of what is given up, which counts as that", async () => {
  const rig = new EventStoreRig();
  const told: string[] = [];
  class Told extends ScriptedRunner {
    readonly onDeadLetter = ({ originalId, failureReason }: DeadLetterEntry) => {
      told.push(`${originalId} ${failureReason}`);
      return Promise.resolve();
    };
  }
  const subscription = await rig.started(new Told(bug), { recoveryIntervalSeconds: undefined });
  await rig.append("a1");
  assertEquals(told.length, 1);
  assertStringIncludes(told[0] ?? "", "bug");
  assertEquals([subscription.counters.exhausted, subscription.counters.setAside], [1, 0]);
  await rig.close(subscription);
});

Deno.test("a handler that fails on everything stops the reading before its failures fill the memory", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner(bug);
  await rig.store.append(Array.from({ length: 10_300 }, (_, n) => storedEvent("a", n)));
  const subscription = await rig.started(runner, { recoveryIntervalSeconds: 1e6, messagesPerTick: 100 });
  for (let turn = 0; turn < 400 && runner.calls.length < 10_000; turn++) await rig.clock.advance(500);
  await rig.clock.advance(60_000);
  const { length } = runner.calls;
  assert(length >= 10_000 && length < 10_300, `${length} calls`);
  await rig.close(subscription);
});

Deno.test("everything in the store can be read, and records of readers are none of it", async () => {
  const rig = new EventStoreRig();
  const runner = new ScriptedRunner();
  const subscription = await rig.started(runner, { category: "$all", positionUpdateInterval: 1 });
  await rig.append("a1");
  await rig.append("a2");
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 a2");
  assertEquals((await rig.positions(runner, "$all")).length, 3);
  await rig.close(subscription);
  assertEquals((await rig.positions(runner, "$all")).length, 3);
});

Deno.test("a handler decides: given up at once, passed over, or tried later without a failure", async () => {
  const rig = new EventStoreRig();
  let later = true;
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a") throw new DeadLetter("no such order");
    if (id === "b") throw new Discard("not for us");
    if (id === "c" && later) throw new RetryAfter(60_000, "not yet");
  });
  const subscription = await rig.started(runner);
  await rig.append("a1 b1 c1 c2 d1");
  assertEquals(runner.log, "a1 b1 c1 d1");
  assertEquals(await rig.failures(runner), ["Exhausted 1 0"]);
  assertEquals(subscription.status().declined, { "not for us": 1 });
  later = false;
  await rig.clock.advance(60_000);
  assertEquals(runner.log, "a1 b1 c1 d1 c1 c2");
  assertEquals(await rig.failures(runner), ["Exhausted 1 0"]);
  await rig.close(subscription);
  assertEquals((await rig.positions(runner)).at(-1), 5);
});

Deno.test("a handler is told of what is given up, whether at once or after its retries", async () => {
  const rig = new EventStoreRig();
  const told: string[] = [];
  class Told extends ScriptedRunner {
    readonly onDeadLetter = ({ originalId, failureReason }: DeadLetterEntry) => {
      told.push(`${originalId} ${failureReason}`);
      return Promise.resolve();
    };
  }
  const runner = new Told(({ id }) => {
    throw id === "a" ? new DeadLetter("no such order") : new Error("bug");
  });
  const subscription = await rig.started(runner, { maxRetries: 1 });
  await rig.append("a1 b1");
  await rig.clock.advance(60_000);
  assertEquals(told.length, 2);
  assertStringIncludes(told[0] ?? "", "1 ");
  assertStringIncludes(told[0] ?? "", "no such order");
  assertStringIncludes(told[1] ?? "", "recovery passes");
  assertEquals((await rig.failures(runner)).at(-1), "Exhausted 2 1");
  await rig.close(subscription);
});

Deno.test("a backend that is away costs no message a retry, and no record", async () => {
  const rig = new EventStoreRig();
  let away = true;
  const runner = new ScriptedRunner(() => {
    if (away) throw new ProviderUnavailableError("nobody answers");
  });
  const subscription = await rig.started(runner);
  await rig.append("a1 b1 c1");
  await rig.clock.advance(3_600_000);
  assertEquals(await rig.failures(runner), []);
  away = false;
  await rig.clock.advance(10_000);
  assertEquals([subscription.counters.handled, subscription.counters.setAside], [3, 0]);
  assertEquals((await rig.positions(runner)).at(-1), 3);
  await rig.close(subscription);
});

Deno.test("a backend that is away during a recovery pass uses up one retry at most", async () => {
  const rig = new EventStoreRig();
  let fault: Error | undefined = new Error("bug");
  const runner = new ScriptedRunner(() => {
    if (fault) throw fault;
  });
  const subscription = await rig.started(runner);
  await rig.append("a1");
  fault = new ProviderUnavailableError("nobody answers");
  await rig.clock.advance(600_000);
  fault = undefined;
  await rig.clock.advance(61_000);
  assertEquals(await rig.failures(runner), ["Failed 1 0", "Failed 1 1", "Resolved 1 1"]);
  await rig.close(subscription);
});

Deno.test("readiness is told of a store that does not answer, and that it does again", async () => {
  const rig = new EventStoreRig();
  const health = new WorkHealth(rig.clock);
  const subscription = await rig.started(new ScriptedRunner(), { health });
  assertEquals(health.fault("event_store", "default"), undefined);
  rig.store.refuse = () => "the disk is gone";
  await rig.append("a1").catch(() => {});
  await rig.clock.advance(20_000);
  assertStringIncludes(health.fault("event_store", "default") ?? "", "the disk is gone");
  rig.store.refuse = () => undefined;
  await rig.clock.advance(6_000);
  assertEquals(health.trouble("event_store", "default"), undefined);
  await rig.close(subscription);
});

Deno.test("records of failures are told by a checkpoint after five hundred of them", async () => {
  const rig = new EventStoreRig();
  let broken = true;
  const runner = new ScriptedRunner(() => broken ? bug() : undefined);
  await rig.store.append(Array.from({ length: 300 }, (_, n) => storedEvent("a", n)));
  const subscription = await rig.started(runner);
  await rig.clock.advance(25_000);
  assertEquals((await rig.failures(runner)).length, 300);
  broken = false;
  await rig.clock.advance(120_000);
  const records = await rig.failures(runner);
  assertEquals(records.length, 900);
  await rig.close(subscription);
  assertEquals((await rig.checkpoints(runner)).length, 1);
  const kept = await keptFailures(rig.store, { group: runner.group, category: CATEGORY });
  assert(kept.fresh < 500, `${kept.fresh} records to be read`);
  assertEquals(kept.unresolved.size, 0);
});

Deno.test("a handler that runs long is told when somebody else has taken over meanwhile", async () => {
  const rig = new EventStoreRig();
  const release = Promise.withResolvers<void>();
  const runner = new ScriptedRunner(() => release.promise);
  const subscription = await rig.started(runner);
  await rig.append("a1");
  await rig.record(positionStream(runner.group, CATEGORY), "Read", { position: 1 });
  const [call] = runner.calls;
  assertEquals(call?.options.mayCommit(), true);
  await rig.clock.advance(11_000);
  assertEquals([call?.options.mayCommit(), call?.options.signal.aborted], [false, true]);
  release.resolve();
  await rig.clock.advance(5_000);
  assertEquals([runner.log, subscription.counters.handled], ["a1", 0]);
  await rig.close(subscription);
});
