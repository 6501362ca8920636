/** Counts of dead letters in Redis that others change too, or that Redis refuses: never wrong for ever (operations 6). */
import { assertEquals } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import type { FailureGroups } from "../../lib/adapters/ports.ts";
import type { HandlerRunner } from "../../lib/domain/handler_port.ts";
import { DeadLetterQueues } from "../../lib/dlq/queues.ts";
import { statsOf } from "../../lib/dlq/stats.ts";
import { renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { redisTest } from "../support/redis_server.ts";
import { consumerOf, publish, RedisRig, STREAM } from "./redis_rig.ts";

const DEAD = `${STREAM}:dlq`;

const mailer: HandlerRunner = {
  ...{ name: "Mailer", kind: "event_handler", group: "shop.Mailer", sharedGroup: false },
  ...{ categories: [STREAM], options: {} },
  judge: () => ({ kind: "ignored" }),
  run: () => Promise.resolve("handled"),
};

function letter(error: Error, handler = "Mailer"): string {
  return renderDeadLetter('{"data":{},"metadata":{"headers":{"type":"Shop.OrderPlaced.v1"}}}', {
    ...{ originalStream: STREAM, originalId: "1-0", consumerGroup: "shop.Mailer", consumer: "c", handler },
    ...{ retryCount: 3, failedAt: 0, error },
  });
}

const RANGE = letter(new RangeError("no"));
const TYPE = letter(new TypeError("no"));

/** Dead-letters each as a server does. */
async function bury(broker: RedisBroker, ...texts: string[]): Promise<void> {
  const group = await consumerOf(broker, `c-${crypto.randomUUID()}`);
  await publish(broker, ...texts.map(() => "{}"));
  const entries = await group.read({ count: texts.length });
  for (const [index, { id }] of entries.entries()) {
    assertEquals(await group.deadLetter(id, DEAD, texts[index] ?? ""), true);
  }
  await group.close();
}

function countsOf(broker: RedisBroker): FailureGroups {
  const { failures } = broker.deadLetters;
  if (failures) return failures;
  throw new Error("Redis counts no failures.");
}

async function stats(broker: RedisBroker) {
  const queues = new DeadLetterQueues(broker, [mailer]);
  const [place] = queues.places({});
  if (!place) throw new Error("no queue");
  const { depth, counted, groups } = await statsOf(place, {
    ...{ filter: {}, runners: queues.runners, maxEntryBytes: queues.largest },
  });
  return { depth, counted, groups: groups.map(({ errorType, count }) => `${errorType} ${count}`) };
}

redisTest(
  "letters that an older server removed, and others that Python wrote, are counted again",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const bare = rig.client();
    await bury(broker, RANGE, RANGE, TYPE, TYPE, TYPE);
    assertEquals(await stats(broker), { depth: 5, counted: 5, groups: ["TypeError 3", "RangeError 2"] });
    const [first] = await broker.deadLetters.list(DEAD, { limit: 1 });
    // As many went as came: the number of letters tells nothing.
    await bare.xdel(DEAD, first?.id ?? "");
    await bare.xadd(DEAD, "*", "data", TYPE);
    const { counted } = await countsOf(broker).figures(DEAD);
    assertEquals(counted, 5);
    await countsOf(broker).countOn(DEAD, 1_000);
    const { groups } = await stats(broker);
    assertEquals(groups, ["TypeError 4", "RangeError 1"]);
    await bare.del(DEAD);
    assertEquals(await stats(broker), { depth: 0, counted: 0, groups: [] });
    await bury(broker, RANGE);
    assertEquals(await stats(broker), { depth: 1, counted: 1, groups: ["RangeError 1"] });
  },
);

redisTest(
  "a long queue that nobody has counted is answered at once, with how much is not counted yet",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const bare = rig.client();
    for (let at = 0; at < 5; at++) {
      const pipeline = bare.pipeline();
      for (let n = 0; n < 1_000; n++) pipeline.xadd(DEAD, "*", "data", n % 4 === 0 ? TYPE : RANGE);
      await pipeline.exec();
    }
    await bury(broker, TYPE);
    assertEquals(await stats(broker), {
      depth: 5_001,
      counted: 1_000,
      groups: ["RangeError 750", "TypeError 250"],
    });
    // A letter behind those that are counted is not lowered when it goes.
    const [newest] = await broker.deadLetters.list(DEAD, { direction: "backwards", limit: 1 });
    await broker.deadLetters.remove(DEAD, [newest?.id ?? ""]);
    assertEquals(await countsOf(broker).countOn(DEAD, 250_000), 4_000);
    assertEquals(await stats(broker), {
      depth: 5_000,
      counted: 5_000,
      groups: ["RangeError 3750", "TypeError 1250"],
    });
  },
);

redisTest(
  "where memory is full letters go all the same, and what cannot be counted is counted later",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const bare = rig.client();
    await bury(broker, RANGE, RANGE, TYPE);
    await bare.xadd(DEAD, "*", "data", TYPE);
    await bare.config("SET", "maxmemory", "1");
    const [first] = await broker.deadLetters.list(DEAD, { limit: 1 });
    assertEquals(await broker.deadLetters.remove(DEAD, [first?.id ?? ""]), 1);
    const full = await stats(broker);
    assertEquals({ ...full, groups: full.groups.toSorted() }, {
      ...{ depth: 3, counted: 2, groups: ["RangeError 1", "TypeError 1"] },
    });
    await bare.config("SET", "maxmemory", "0");
    assertEquals(await stats(broker), { depth: 3, counted: 3, groups: ["TypeError 2", "RangeError 1"] });
  },
);

redisTest("a user who may not write the counts dead-letters and replays all the same", async () => {
  await using rig = await RedisRig.open();
  await rig.client().call("ACL", ["SETUSER", "ann", "on", ">pw", "~*", "+@all", "-hset", "-hdel", "-hget"]);
  const broker = await rig.broker({ URI: `redis://ann:pw@127.0.0.1:${rig.server.port}` });
  await bury(broker, RANGE, TYPE);
  assertEquals(await stats(broker), { depth: 2, counted: 0, groups: [] });
  const [first, second] = await broker.deadLetters.list(DEAD, { limit: 2 });
  assertEquals(await broker.deadLetters.replay(DEAD, first?.id ?? "", `${STREAM}:replay:g`, "g"), true);
  assertEquals(await broker.deadLetters.move?.(DEAD, [second?.id ?? ""], `${DEAD}:discarded`), 1);
  // Whoever may counts what was written.
  const other = await rig.broker();
  await bury(other, RANGE);
  assertEquals(await stats(other), { depth: 1, counted: 1, groups: ["RangeError 1"] });
});

redisTest("something else under the name of the counts keeps no letter from being written", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  await rig.client().set(`${DEAD}:groups`, "mine");
  await bury(broker, RANGE, TYPE);
  assertEquals(await broker.deadLetters.depth(DEAD), 2);
  assertEquals(await rig.client().get(`${DEAD}:groups`), "mine");
  const [first] = await broker.deadLetters.list(DEAD, { limit: 1 });
  assertEquals(await broker.deadLetters.remove(DEAD, [first?.id ?? ""]), 1);
});
