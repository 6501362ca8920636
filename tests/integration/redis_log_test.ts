/**
 * What an outage leaves in the log: when it began and when it was over, however many connections and calls
 * met it.
 *
 * @module
 */
import { configure, type LogRecord } from "@logtape/logtape";
import { assertEquals, assertRejects } from "@std/assert";
import { BrokerUnavailableError, ConfigurationError } from "../../lib/errors.ts";
import { redisTest } from "../support/redis_server.ts";
import { standingSink, watchLog } from "../support/standing_check.ts";
import { eventually, IMPATIENT, RedisRig } from "./redis_rig.ts";

/** Runs `work` and returns the event names that the adapter logged meanwhile. */
async function logged(work: (names: readonly string[]) => Promise<void>): Promise<readonly string[]> {
  const names: string[] = [];
  await configure({
    reset: true,
    sinks: {
      list: (record: LogRecord) => void names.push(String(record.rawMessage)),
      standing: standingSink,
    },
    loggers: [
      { category: ["protean", "redis"], sinks: ["list", "standing"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  });
  try {
    await work(names);
  } finally {
    watchLog();
  }
  return names;
}

redisTest("an outage met by many readers and calls is two lines", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker(IMPATIENT);
  const groups = Array.from(
    { length: 6 },
    (_, index) => broker.group({ stream: `s${index}`, group: "g", consumer: "a" }),
  );
  for (const group of groups) {
    await group.ensure();
    await group.read({ count: 1, blockMs: 1 });
  }
  for (const [begin, end] of [["kill", "restart"], ["freeze", "thaw"]] as const) {
    const names = await logged(async () => {
      await rig.server[begin]();
      for (let turn = 0; turn < 3; turn++) {
        await Promise.all(groups.map(async (group) => {
          await assertRejects(() => group.read({ count: 1, blockMs: 10 }), BrokerUnavailableError);
          await assertRejects(() => broker.length("s"), BrokerUnavailableError);
        }));
      }
      await rig.server[end]();
      for (const group of groups) {
        await eventually(() => group.ensure());
        await eventually(() => group.read({ count: 1, blockMs: 1 }));
      }
    });
    assertEquals(names, ["redis.unavailable", "redis.available"], begin);
  }
});

redisTest("a password that turns out to be wrong during an outage is worth another line", async () => {
  await using rig = await RedisRig.open({ args: ["--requirepass", "right"] });
  const names = await logged(async () => {
    await rig.server.kill();
    const broker = await rig.broker({ URI: `redis://:wrong@127.0.0.1:${rig.server.port}` });
    const ping = () => broker.ping(AbortSignal.timeout(1000));
    await assertRejects(ping, BrokerUnavailableError);
    await rig.server.restart();
    await eventually(() => assertRejects(ping, ConfigurationError));
    await assertRejects(ping, ConfigurationError);
  });
  assertEquals(names, ["redis.unavailable", "redis.unavailable"]);
});

redisTest("a connection that is replaced without a failure is not worth a line", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  await broker.length("s");
  const names = await logged(async () => {
    await rig.client().client("KILL", "TYPE", "normal", "SKIPME", "yes");
    await eventually(() => broker.length("s"));
  });
  assertEquals(names, []);
});
