/** Our `dlq replay` of letters of groups that only Python runs (interop: replay-theirs, delivery 19). */
import { assertEquals, assertRejects } from "@std/assert";
import type { Redis } from "ioredis";
import { DeadLetterQueues } from "../../lib/dlq/queues.ts";
import { ProteanError, UnhandledMessageError } from "../../lib/errors.ts";
import { type DeadLetterFacts, renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { PythonWorker } from "../support/python_worker.ts";
import { redisTest } from "../support/redis_server.ts";
import { eventText, ScriptedRunner } from "../support/subscription_rig.ts";
import { RedisRig, STREAM, until } from "./redis_rig.ts";

const DEAD = `${STREAM}:dlq`;
const PYTHON = "shop.handlers.Mailer";
const OTHER = "shop.handlers.Auditor";

async function setUp(rig: RedisRig) {
  const client = rig.client();
  const queues = new DeadLetterQueues(await rig.broker(), [new ScriptedRunner()]);
  const text = eventText("a", 1);
  for (const group of [PYTHON, OTHER]) await client.xgroup("CREATE", STREAM, group, "0", "MKSTREAM");
  const entry = String(await client.xadd(STREAM, "*", "data", text));
  return { client, queues, text, entry };
}

async function handled(client: Redis, group: string, name: string): Promise<void> {
  const entries = await client.call("XREADGROUP", ["GROUP", group, name, "STREAMS", STREAM, ">"]) as [
    [string, [string, unknown][]],
  ];
  for (const [id] of entries[0][1]) await client.xack(STREAM, group, id);
}

/** A letter about `entry`; returns its id. */
async function bury(client: Redis, text: string, entry: string, change: Partial<DeadLetterFacts> = {}) {
  const letter = renderDeadLetter(text, {
    ...{ originalStream: STREAM, originalId: entry, consumerGroup: PYTHON, consumer: "c", handler: "Mailer" },
    ...{ retryCount: 3, failedAt: 0, error: new Error("smtp"), ...change },
  });
  return String(await client.xadd(DEAD, "*", "data", letter));
}

redisTest("replay-theirs: a letter of a Python group comes back to that group alone, once", async () => {
  await using rig = await RedisRig.open();
  const { client, queues, text, entry } = await setUp(rig);
  for (const group of [PYTHON, OTHER]) await handled(client, group, "Mailer-py-7-0000ff");
  const id = await bury(client, text, entry);
  await using python = new PythonWorker(rig.client(), STREAM, PYTHON, "Mailer-py-7-0000ff");
  await using auditor = new PythonWorker(rig.client(), STREAM, OTHER, "Auditor-py-7-0000ff");
  python.start();
  auditor.start();
  const found = await queues.find(id, {});
  assertEquals((await Promise.all([queues.replay(found), queues.replay(found)])).sort(), [
    "gone",
    "replayed",
  ]);
  await until(() => python.handled.length > 0, "the message to come back");
  await until(async () => (await client.xpending(STREAM, PYTHON))[0] === 0, "its acknowledgement");
  assertEquals([python.handled.length, auditor.handled, await client.xlen(DEAD)], [1, [], 0]);
});

const REFUSALS: Record<
  string,
  {
    spoil: (client: Redis, entry: string) => Promise<unknown>;
    says: string;
    change?: Partial<DeadLetterFacts>;
  }
> = {
  "nobody of it lives": {
    spoil: (client) => client.call("XGROUP", ["DELCONSUMER", STREAM, PYTHON, "Mailer-py-7-0000ff"]),
    says: "no Python worker of that group is there",
  },
  "the group does not exist": {
    spoil: (client) => client.xgroup("DESTROY", STREAM, PYTHON),
    says: "no Python worker of that group is there",
  },
  "its only worker is one of ours": {
    spoil: (client) => client.sadd("protean:consumers", "py-7-0000ff"),
    says: "no Python worker of that group is there",
  },
  "the original has left the stream": {
    spoil: (client, entry) => client.xdel(STREAM, entry),
    says: "the stream holds the original no longer",
  },
  "the group has not read it": {
    spoil: (client) => client.call("XGROUP", ["SETID", STREAM, PYTHON, "0"]),
    says: "has not read the original yet",
  },
  "it is pending there": {
    spoil: (client, entry) =>
      client.call("XCLAIM", [STREAM, PYTHON, "Mailer-py-7-0000ff", 0, entry, "FORCE", "JUSTID"]),
    says: "the original is pending in that group",
  },
  "the letter names another stream": {
    spoil: (client) => client.xadd("billing::invoice", "1-1", "data", "{}"),
    says: "no Python worker of that group is there",
    change: { originalStream: "billing::invoice", originalId: "1-1" },
  },
};

for (const [what, { spoil, says, change }] of Object.entries(REFUSALS)) {
  redisTest(`replay-theirs: where ${what}, the letter stays and the reason is told`, async () => {
    await using rig = await RedisRig.open();
    const { client, queues, text, entry } = await setUp(rig);
    await handled(client, PYTHON, "Mailer-py-7-0000ff");
    const id = await bury(client, text, entry, change);
    await spoil(client, entry);
    const found = await queues.find(id, {});
    const error = await assertRejects(() => queues.replay(found), ProteanError, says);
    assertEquals([error.code, await client.xlen(DEAD)], ["DLQ_FOREIGN_GROUP", 1]);
  });
}

redisTest(
  "replay-theirs: what we do not handle in a shared group goes to the Python side, or to ours without it",
  async () => {
    await using rig = await RedisRig.open();
    const { client, queues, text, entry } = await setUp(rig);
    const runner = new ScriptedRunner();
    await client.xgroup("CREATE", STREAM, runner.group, "0");
    await handled(client, runner.group, "OrderEventHandler-py-7-0000ff");
    const change = { consumerGroup: runner.group };
    const unhandled = { ...change, error: new UnhandledMessageError("not handled") };
    const first = await queues.find(await bury(client, text, entry, unhandled), {});
    assertEquals(await queues.replay(first), "replayed");
    assertEquals((await client.xpending(STREAM, runner.group))[0], 1);
    assertEquals(await client.exists(`${STREAM}:replay:${runner.group}`), 0);

    await client.call("XGROUP", ["DELCONSUMER", STREAM, runner.group, "OrderEventHandler-py-7-0000ff"]);
    const second = await queues.find(await bury(client, text, entry, unhandled), {});
    assertEquals(await queues.replay(second), "replayed");
    assertEquals(await client.xlen(`${STREAM}:replay:${runner.group}`), 1);
  },
);
