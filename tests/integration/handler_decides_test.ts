/** What handlers decide, and the circuit breaker, on real backends and across processes. */
import { assert, assertEquals } from "@std/assert";
import type { AdapterOptions, BaseBroker } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { DeadLetter, RetryAfter } from "../../lib/mod.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { deadLetterStream } from "../../lib/message/names.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { until } from "../support/until.ts";

type Open = (options: AdapterOptions) => BaseBroker;
const WAIT_MS = 2_500;

/** A broker, and subscriptions of several consumers. */
async function onBroker(
  open: Open,
  work: (
    broker: BaseBroker,
    subscribe: (runner: ScriptedRunner, change?: Partial<typeof settings>) => StreamSubscription,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const broker = open({ name: "default", domain: "shop", settings: {}, folder, clock: systemClock });
  await broker.open();
  const all: StreamSubscription[] = [];
  try {
    await work(broker, (runner, change) => {
      const consumer = `Plain-host-1-00000${all.length}`;
      const parts = { runner, category: CATEGORY, broker, clock: systemClock, consumer };
      const subscription = new StreamSubscription({
        ...parts,
        settings: {
          ...settings,
          blockingTimeoutMs: 200,
          claimIdleMs: 3_000,
          claimIntervalMs: 100,
          ...change,
        },
      });
      all.push(subscription);
      return subscription;
    });
  } finally {
    await Promise.all(all.map((subscription) => subscription.stop()));
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function keepsTheWait(open: Open): Promise<void> {
  await onBroker(open, async (broker, subscribe) => {
    const times: number[] = [];
    const runner = new ScriptedRunner(() => {
      times.push(performance.now());
      if (times.length === 1) throw new RetryAfter(WAIT_MS, "busy");
    });
    const first = subscribe(runner, { maxRetries: 1 });
    await first.start();
    await broker.publish([{ stream: CATEGORY, data: eventText("a", 1) }]);
    await until(() => first.counters.postponed === 1, "it is postponed");
    await first.stop();
    const second = subscribe(runner, { maxRetries: 1 });
    await second.start();
    await until(() => second.counters.handled === 1, "it is handled");
    const [asked = 0, handled = 0] = times;
    assert(handled - asked >= WAIT_MS - 50, `it has waited ${handled - asked} ms`);
    assertEquals([times.length, second.counters.recovered], [2, 1]);
    await second.stop();
    const group = broker.group({ stream: CATEGORY, group: runner.group, consumer: "observer" });
    assertEquals(await group.pending({ limit: 9 }), []);
  });
}

async function keepsTheCount(open: Open): Promise<void> {
  await onBroker(open, async (broker, subscribe) => {
    const runner = new ScriptedRunner(() => {
      throw new RetryAfter(0, "busy");
    });
    await broker.publish([{ stream: CATEGORY, data: eventText("a", 1) }]);
    // A process that has had it postponed ninety-nine times, and died.
    const group = broker.group({ stream: CATEGORY, group: runner.group, consumer: "Plain-host-1-dead00" });
    await group.ensure();
    const [entry] = await group.read({ count: 1 });
    assert(entry && await group.postpone?.(entry.id, { times: 99, ms: 100 }, 0));
    await group.release([{ id: entry.id, count: 0 }]);
    await group.close();
    const subscription = subscribe(runner, { maxRetries: 1 });
    await subscription.start();
    await until(() => subscription.counters.deadLettered === 1, "it is dead-lettered");
    assertEquals([runner.calls.length, subscription.counters.postponed], [2, 1]);
  });
}

async function opensTheBreaker(open: Open): Promise<void> {
  await onBroker(open, async (broker, subscribe) => {
    let broken = true;
    const runner = new ScriptedRunner(({ id }) => {
      if (id === "p") throw new DeadLetter("broken");
      if (broken) throw new Error("bug");
    });
    const change = { maxRetries: 1, circuitBreakerThreshold: 2, circuitBreakerResetSeconds: 1 };
    const subscription = subscribe(runner, change);
    await subscription.start();
    const publish = (...ids: string[]) =>
      broker.publish(ids.map((id, n) => ({ stream: CATEGORY, data: eventText(id, n) })));
    await publish("p", "p", "p", "a", "b");
    await until(() => subscription.status().breaker === "open", "the breaker opens");
    const calls = runner.calls.length;
    broken = false;
    await publish("c", "d", "e");
    assertEquals([subscription.status().breaker, runner.calls.length], ["open", calls]);
    await until(() => subscription.counters.handled === 3, "it goes on by itself");
    assertEquals(subscription.status().breaker, "closed");
    assertEquals(await broker.deadLetters.depth(deadLetterStream(CATEGORY)), 5);
  });
}

for (
  const [what, check] of [
    ["a message that waits for RetryAfter waits out its time in another process", keepsTheWait],
    ["RetryAfter is counted over all processes", keepsTheCount],
    ["S50: a breaker opens after failures in a row, and closes by itself when they end", opensTheBreaker],
  ] as const
) {
  Deno.test(`${what} (SQLite)`, () => check((options) => new SqliteBroker(options)));
  redisTest(`${what} (Redis)`, async () => {
    await using server = await RedisServer.start();
    await check((options) => new RedisBroker({ ...options, settings: { URI: server.uri } }));
  });
}
