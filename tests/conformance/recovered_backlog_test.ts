/**
 * What a dead process has left on a real broker is worked off as fast as a new backlog (delivery 23, D17).
 */
import { assert, assertEquals } from "@std/assert";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { pause, until } from "../support/until.ts";

const LEFT = 400;
const CONCURRENCY = 8;
const HANDLER_MS = 25;
const CLAIM_IDLE_MS = 200;

/** Works off what there is; returns how long that took from the first start on. */
async function workedOff(broker: BaseBroker, group: string, dead: string | undefined): Promise<number> {
  const runner = new ScriptedRunner(() => pause(HANDLER_MS), group);
  const left = broker.group({ stream: CATEGORY, group: runner.group, consumer: dead ?? "nobody" });
  await left.ensure();
  if (dead !== undefined) {
    // As its process had it: read ahead of those that were at work.
    assertEquals((await left.read({ count: LEFT })).length, LEFT);
    await pause(2 * CLAIM_IDLE_MS);
  }
  const subscription = new StreamSubscription({
    runner,
    category: CATEGORY,
    broker,
    settings: { ...settings, concurrency: CONCURRENCY, claimIdleMs: CLAIM_IDLE_MS },
    consumer: `${group}-host-1-${"a".repeat(6)}`,
    clock: systemClock,
  });
  let began: number | undefined;
  await subscription.start();
  try {
    await until(
      () => {
        if (runner.calls.length > 0) began ??= performance.now();
        return subscription.counters.handled >= LEFT;
      },
      `${LEFT} messages to be handled`,
      { within: 30_000 },
    );
  } finally {
    await subscription.stop();
  }
  assertEquals([runner.calls.length, subscription.counters.recovered], [LEFT, dead === undefined ? 0 : LEFT]);
  return performance.now() - (began ?? 0);
}

async function prove(broker: BaseBroker): Promise<void> {
  await broker.open();
  try {
    await broker.publish(
      Array.from({ length: LEFT }, (_, n) => ({ stream: CATEGORY, data: eventText(`k${n}`, n) })),
    );
    const clean = await workedOff(broker, "Clean", undefined);
    const recovered = await workedOff(broker, "Recovered", "dead");
    assert(
      recovered <= 1.3 * clean,
      `${Math.round(recovered)} ms, where a new backlog takes ${Math.round(clean)} ms`,
    );
  } finally {
    await broker.close();
  }
}

function options(uri?: string, folder = Deno.cwd()) {
  const settings = uri === undefined ? {} : { URI: uri };
  return { name: "default", domain: "shop", settings, folder, clock: systemClock };
}

Deno.test("memory: a dead process's backlog is worked off as fast as a new one", async () => {
  await prove(new MemoryBroker(options()));
});

Deno.test("sqlite: a dead process's backlog is worked off as fast as a new one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await prove(new SqliteBroker(options("sqlite:///streams.db", folder)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

redisTest("redis: a dead process's backlog is worked off as fast as a new one", async () => {
  await using server = await RedisServer.start();
  await prove(new RedisBroker(options(server.uri)));
});
