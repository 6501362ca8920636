/**
 * D16 on real backends: ten thousand messages behind a key that backs off, beside other keys, across a drain.
 */
import { assert, assertEquals } from "@std/assert";
import type { AdapterOptions, BaseBroker } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { CATEGORY, eventText, ScriptedRunner, settings } from "../support/subscription_rig.ts";
import { until } from "../support/until.ts";

const HOT = 10_000;
const OTHERS = 300;

async function holdsUpNoOther(open: (options: AdapterOptions) => BaseBroker): Promise<void> {
  const folder = await Deno.makeTempDir();
  const broker = open({ name: "default", domain: "shop", settings: {}, folder, clock: systemClock });
  await broker.open();
  let broken = true;
  const runner = new ScriptedRunner(({ id }) => {
    if (broken && id === "h") throw new Error("no");
  });
  const subscribe = (number: number) =>
    new StreamSubscription({
      ...{ runner, category: CATEGORY, broker, clock: systemClock, consumer: `Plain-host-1-00000${number}` },
      settings: {
        ...{ ...settings, messagesPerTick: 100, concurrency: 8, maxRetries: 100, retryDelaySeconds: 3 },
        ...{ claimIdleMs: 3_000, claimIntervalMs: 500 },
      },
    });
  const [first, second] = [subscribe(1), subscribe(2)];
  try {
    const texts = [
      ...Array.from({ length: HOT }, (_, n) => eventText("h", n)),
      ...Array.from({ length: OTHERS }, (_, n) => eventText(`k${n}`, n)),
    ];
    for (let at = 0; at < texts.length; at += 1_000) {
      await broker.publish(texts.slice(at, at + 1_000).map((data) => ({ stream: CATEGORY, data })));
    }
    await first.start();
    await until(() => first.counters.handled === OTHERS, "every other key is handled", { within: 60_000 });
    assertEquals(first.outstanding, HOT);
    // The key has been tried again since, and everything behind it is still this consumer's.
    await until(() => first.counters.retried > 0, "the key is tried again", { within: 60_000 });
    assertEquals(first.counters.lost, 0);
    await first.stop();
    const group = broker.group({ stream: CATEGORY, group: runner.group, consumer: "observer" });
    const left = await group.pending({ limit: 2 * HOT });
    assertEquals(left.length, HOT);
    assert(left.every(({ idleMs }) => idleMs > 3_600_000));
    broken = false;
    await second.start();
    await until(() => second.counters.handled === HOT, "the key is worked off", { within: 120_000 });
    const hot = runner.calls.filter(({ id }) => id === "h").map(({ n }) => n).slice(-HOT);
    assertEquals(hot, Array.from({ length: HOT }, (_, n) => n));
  } finally {
    await Promise.all([first.stop(), second.stop()]);
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ten thousand messages behind a key hold up no other, and are handed on in order (SQLite)", async () => {
  await holdsUpNoOther((options) => new SqliteBroker(options));
});

redisTest(
  "ten thousand messages behind a key hold up no other, and are handed on in order (Redis)",
  async () => {
    await using redis = await RedisServer.start();
    await holdsUpNoOther((options) => new RedisBroker({ ...options, settings: { URI: redis.uri } }));
  },
);
