/**
 * A consumer group that a Python service shares, on a real Redis: nothing is acknowledged unhandled (interop:
 * shared-group-loss, delivery 5).
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Redis } from "ioredis";
import { systemClock } from "../../lib/async/clock.ts";
import type { Message } from "../../lib/message/types.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { PythonWorker } from "../support/python_worker.ts";
import { redisTest } from "../support/redis_server.ts";
import { eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { RedisRig, until } from "./redis_rig.ts";

const STREAM = "shop::order";
const DEAD = `${STREAM}:dlq`;
const OURS = "Shop.OrderPlaced.v1";
const THEIRS = "Shop.OrderShipped.v1";
const FOREIGN = "Billing.Paid.v1";

/** Handles one type of three, in a group that it does not have alone. */
class SharingRunner extends ScriptedRunner {
  override readonly sharedGroup = true;
  override judge = ({ metadata: { headers: { type } } }: Message) =>
    type === OURS
      ? { kind: "run", plan: undefined } as const
      : { kind: type === THEIRS ? "ignored" : "foreign" } as const;
}

async function subscribe(rig: RedisRig, hex: string, change: Partial<typeof settings> = {}) {
  const runner = new SharingRunner();
  const subscription = new StreamSubscription({
    ...{ runner, category: STREAM, broker: await rig.broker(), clock: systemClock },
    settings: { ...settings, blockingTimeoutMs: 100, claimIntervalMs: 100, ...change },
    consumer: `${runner.name}-host-1-${hex}`,
  });
  await subscription.start();
  return { runner, subscription, [Symbol.asyncDispose]: () => subscription.stop() };
}

async function publish(client: Redis, type: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const text = eventText(type, n, type);
    ids.push(JSON.parse(text).metadata.headers.id);
    await client.xadd(STREAM, "*", "data", text);
  }
  return ids;
}

async function pendingOf(client: Redis, group: string): Promise<unknown> {
  return (await client.xpending(STREAM, group))[0];
}

redisTest(
  "shared-group-loss: what only the Python side of a group handles reaches it, all of it once",
  async () => {
    await using rig = await RedisRig.open();
    const client = rig.client();
    await using one = await subscribe(rig, "00000a");
    const { runner, subscription } = one;
    await using other = await subscribe(rig, "00000b");
    await using python = new PythonWorker(
      rig.client(),
      STREAM,
      runner.group,
      "OrderEventHandler-py-7-0000ff",
    );
    python.start();
    await until(
      async () =>
        String(await client.call("XINFO", ["CONSUMERS", STREAM, runner.group]).catch(() => "")).includes(
          "-py-",
        ),
      "the Python worker to be there",
    );
    const theirs = [...await publish(client, THEIRS, 40), ...await publish(client, FOREIGN, 40)];
    const ours = await publish(client, OURS, 40);
    await until(
      async () => await pendingOf(client, runner.group) === 0 && python.handled.length >= 80,
      "the end",
    );
    const seen = python.handled.filter((id) => theirs.includes(id));
    assertEquals([...seen].sort(), [...theirs].sort());
    const handled = [...runner.calls, ...other.runner.calls].length + python.handled.length - seen.length;
    assertEquals(handled, ours.length);
    assertEquals(await client.xlen(DEAD), 0);
    assert(subscription.counters.handedOver + other.subscription.counters.handedOver > 0);
  },
);

redisTest(
  "shared-group-loss: with nobody there to take it, it is dead-lettered with the reason",
  async () => {
    await using rig = await RedisRig.open();
    const client = rig.client();
    await using one = await subscribe(rig, "00000a");
    const { runner } = one;
    await using other = await subscribe(rig, "00000b");
    await publish(client, THEIRS, 10);
    await publish(client, FOREIGN, 10);
    await until(async () => await client.xlen(DEAD) === 20, "twenty dead letters");
    await until(async () => await pendingOf(client, runner.group) === 0, "the end");
    for (const [, fields] of await client.xrange(DEAD, "-", "+")) {
      const { _dlq_metadata: facts } = JSON.parse(fields[1] ?? "{}");
      assertEquals(facts.error_type, "UnhandledMessageError");
      assertStringIncludes(facts.error_message, `no other program of the shared group '${runner.group}'`);
      assertEquals(facts.retry_count, 1);
    }
    assertEquals([...runner.calls, ...other.runner.calls], []);
  },
);

redisTest(
  "shared-group-loss: what somebody was handed and left is dead-lettered, not handed on for ever",
  async () => {
    await using rig = await RedisRig.open();
    const client = rig.client();
    await client.xgroup("CREATE", STREAM, "shop.OrderEventHandler", "0", "MKSTREAM");
    // Was there a moment ago, and never comes back.
    const dead = "OrderEventHandler-py-7-0000ff";
    await client.call("XREADGROUP", ["GROUP", "shop.OrderEventHandler", dead, "STREAMS", STREAM, "0"]);
    await using one = await subscribe(rig, "00000a", { claimIdleMs: 1_000 });
    const { runner, subscription } = one;
    await publish(client, THEIRS, 5);
    await until(() => subscription.counters.handedOver >= 5, "five that were handed over");
    await until(async () => await client.xlen(DEAD) === 5, "five dead letters");
    // Until max_deliveries is reached, each of the five.
    assertEquals(subscription.counters.handedOver, 5 * (settings.maxDeliveries - 1));
    await until(async () => await pendingOf(client, runner.group) === 0, "the end");
  },
);
