/** Batches of a subscription: what is away, lost, cut, found pending or tried alone. */
import { assert, assertEquals } from "@std/assert";
import type { BatchMember, BatchResult, RunOptions } from "../../../lib/domain/handler_port.ts";
import { CommitRefusedError, UnavailableError } from "../../../lib/errors.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const BATCHING = { size: 100, maxWaitMs: 0 };

/** Keeps a log of its batches, `a1 b1`, single messages among them. */
class BatchRunner extends ScriptedRunner {
  readonly batches: string[] = [];
  readonly mostTogether = 100;
  together: (names: readonly string[], guard: RunOptions) => unknown = () => {};

  constructor() {
    super(({ id, n, options }) => {
      this.batches.push(`${id}${n}`);
      return this.together([`${id}${n}`], options);
    });
  }

  batching(): typeof BATCHING {
    return BATCHING;
  }

  async runTogether(members: readonly BatchMember[], guard: RunOptions): Promise<readonly BatchResult[]> {
    const names = members.map(({ message: { data } }) => `${data["id"]}${data["n"]}`);
    this.batches.push(names.join(" "));
    await this.together(names, guard);
    if (!guard.mayCommit()) throw new CommitRefusedError("Nothing is committed.");
    return members.map(() => ({ kind: "handled" }));
  }
}

Deno.test("a batch that cannot reach its database waits, uncounted, and is done once that is there", async () => {
  const rig = new SubscriptionRig();
  const runner = new BatchRunner();
  let away = true;
  runner.together = () => {
    if (away) throw new UnavailableError("away", { isUnreached: true });
  };
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 a2 c1 b2");
  await rig.clock.advance(60_000);
  assertEquals(runner.batches[0], "a1 b1 a2 c1 b2");
  assertEquals([subscription.counters.handled, subscription.counters.deadLettered], [0, 0]);
  assertEquals(subscription.status().unfinished, 5);
  // Single messages are tried, none of which goes on.
  assert(runner.batches.slice(1).every((batch) => !batch.includes(" ")), `${runner.batches}`);
  away = false;
  const before = runner.batches.length;
  await rig.clock.advance(10_000);
  assertEquals(subscription.counters.handled, 5);
  assertEquals(runner.batches.slice(before).join(" ").split(" ").length, 5);
  assertEquals((await rig.pending(runner)).length, 0);
  await rig.close(subscription);
});

Deno.test("a message of a batch that another process has claimed is left out, and the others are done again", async () => {
  const rig = new SubscriptionRig();
  const runner = new BatchRunner();
  const going = Promise.withResolvers<void>();
  let first = true;
  runner.together = async (_names, { signal }) => {
    if (!first) return;
    first = false;
    await Promise.race([
      going.promise,
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    ]);
  };
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  assertEquals(runner.batches, ["a1 b1 c1"]);
  const thief = rig.broker.group({
    stream: rig.category,
    group: runner.group,
    consumer: "thief-host-2-00000b",
  });
  const [, entry] = await rig.pending(runner);
  assert(entry);
  const claimed = await thief.claim([{ id: entry.id, from: entry.consumer }], 0);
  assertEquals(claimed.length, 1);
  await rig.clock.advance(11_000);
  assertEquals(runner.batches, ["a1 b1 c1", "a1 c1"]);
  assertEquals([subscription.counters.handled, subscription.counters.lost], [2, 1]);
  assertEquals((await rig.pending(runner)).map(({ consumer }) => consumer), ["thief-host-2-00000b"]);
  going.resolve();
  await rig.close(subscription);
});

Deno.test("a drain cuts a batch: nothing of it is an attempt, and the next process has all of it", async () => {
  const rig = new SubscriptionRig();
  const runner = new BatchRunner();
  runner.together = (_names, { signal }) =>
    new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 c1");
  const stopping = subscription.stop();
  await rig.clock.advance(100);
  subscription.cut();
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals(runner.batches, ["a1 b1 c1"]);
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [0, 0, 0]);
  const next = new BatchRunner();
  const other = rig.subscribe(next);
  await other.start();
  await rig.clock.advance(5_000);
  assertEquals(next.batches.toSorted(), ["a1", "b1", "c1"]);
  await rig.close(other);
});

Deno.test("what comes while a halved batch is still under way when the drain begins goes back uncounted", async () => {
  const rig = new SubscriptionRig();
  const runner = new BatchRunner();
  const going = Promise.withResolvers<void>();
  runner.together = async (names) => {
    if (names.length === 4) throw new Error("too many");
    await going.promise;
  };
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.publish("a1 b1 c1 d1");
  assertEquals(runner.batches, ["a1 b1 c1 d1", "a1 b1"]);
  const stopping = subscription.stop();
  await rig.clock.advance(10);
  going.resolve();
  await rig.clock.advance(2_000);
  await stopping;
  assertEquals(runner.batches.length, 2);
  assertEquals(subscription.counters.handled, 2);
  assertEquals((await rig.pending(runner)).map(({ count }) => count), [0, 0]);
  await rig.broker.close();
});

Deno.test("what a dead process had in a batch is done message by message", async () => {
  const rig = new SubscriptionRig();
  const dying = new BatchRunner();
  dying.together = () => new Promise(() => {});
  const dead = rig.subscribe(dying);
  await dead.start();
  await rig.publish("a1 b1 a2");
  assertEquals(dying.batches, ["a1 b1 a2"]);
  rig.kill(dead);
  const runner = new BatchRunner();
  const subscription = rig.subscribe(runner);
  await subscription.start();
  await rig.clock.advance(60_000);
  await rig.publish("a3 b2");
  await rig.clock.advance(10);
  assertEquals(runner.batches, ["a1", "b1", "a2", "a3 b2"]);
  await rig.close(subscription);
});

Deno.test("a half-open breaker tries one message, not a batch", async () => {
  const rig = new SubscriptionRig();
  const runner = new BatchRunner();
  let broken = true;
  runner.together = () => {
    if (broken) throw new Error("bug");
  };
  const subscription = rig.subscribe(runner, { circuitBreakerThreshold: 2, circuitBreakerResetSeconds: 5 });
  await subscription.start();
  await rig.publish("a1 b1 c1 d1 e1 f1");
  await rig.clock.advance(100);
  // Halved until two stood alone, which has opened it; the others wait, uncounted.
  assertEquals(runner.batches, ["a1 b1 c1 d1 e1 f1", "a1 b1 c1", "a1 b1", "a1", "b1"]);
  assertEquals([subscription.counters.failed, subscription.status().breaker], [2, "open"]);
  broken = false;
  await rig.clock.advance(10_000);
  assert(!runner.batches[5]?.includes(" "), `${runner.batches}`);
  assertEquals([subscription.counters.handled, subscription.status().breaker], [6, "closed"]);
  assertEquals(subscription.counters.failed, 2);
  await rig.close(subscription);
});
