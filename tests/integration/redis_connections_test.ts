/**
 * How many connections there are, whose, and that none is left behind (design 8, PERF-5).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { GroupMissingError, IncorrectUsageError } from "../../lib/errors.ts";
import { redisTest } from "../support/redis_server.ts";
import { RedisRig, textsOf, until } from "./redis_rig.ts";

/** Connections of ours that the server sees. */
async function connections(rig: RedisRig): Promise<number> {
  const list = String(await rig.client().client("LIST"));
  return list.split("\n").filter((line) => line.includes("name=protean:shop:default")).length;
}

redisTest("max_connections caps command and blocking connections together; the rest poll", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 4 });
  const groups = await Promise.all(Array.from({ length: 12 }, async (_, index) => {
    const group = broker.group({ stream: `s${index}`, group: "g", consumer: "a" });
    await group.ensure();
    return group;
  }));
  assertEquals(await connections(rig), 1, "none to block on before the first blocking read");
  const reading = groups.map((group) => group.read({ count: 1, blockMs: 20_000 }));
  await rig.blocked(3);
  assertEquals(await connections(rig), 4);
  await broker.publish(groups.map(({ stream }) => ({ stream, data: stream })));
  for (const [index, read] of (await Promise.all(reading)).entries()) {
    assertEquals(textsOf(read), [`s${index}`]);
  }
  // A closed reader's place goes to the next that blocks.
  await groups[0]?.close();
  assertEquals(await connections(rig), 3);
  const next = groups[11]?.read({ count: 1, blockMs: 20_000 });
  await rig.blocked(1);
  assertEquals(await connections(rig), 4);
  await broker.publish([{ stream: "s11", data: "2" }]);
  assertEquals(textsOf(await next ?? []), ["2"]);
});

redisTest("five hundred waiting readers keep within max_connections, and each gets its entry", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 10 });
  const groups = await Promise.all(Array.from({ length: 500 }, async (_, index) => {
    const group = broker.group({ stream: `s${index}`, group: "g", consumer: "a" });
    await group.ensure();
    return group;
  }));
  const reading = Promise.all(groups.map((group) => group.read({ count: 1, blockMs: 30_000 })));
  await rig.blocked(9);
  assert(await connections(rig) <= 10);
  await broker.publish(groups.map(({ stream }) => ({ stream, data: stream })));
  assertEquals((await reading).flat().length, 500);
});

redisTest("a loop of short reads beyond the cap polls no more often than one long read", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 1 });
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  await group.ensure();
  for (let read = 0; read < 100; read++) await group.read({ count: 1, blockMs: 10 });
  const calls = /cmdstat_xreadgroup:calls=(\d+)/.exec(await rig.client().info("commandstats"))?.[1];
  // 100 reads take a second: one poll, another when its end is known, and none while it stays the same.
  assert(Number(calls) <= 20, `${calls} polls`);
  await broker.publish([{ stream: "s", data: "1" }]);
  assertEquals(textsOf(await group.read({ count: 1, blockMs: 5000 })), ["1"]);
});

/** How often Redis was asked so. */
async function calls(rig: RedisRig, command: string): Promise<number> {
  return Number(
    new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await rig.client().info("commandstats"))?.[1] ?? 0,
  );
}

redisTest("idle readers beyond the cap are looked after by one, and poll where there is news", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 1 });
  const groups = await Promise.all(Array.from({ length: 100 }, async (_, index) => {
    const group = broker.group({ stream: `s${index % 10}`, group: `g${index}`, consumer: "a" });
    await group.ensure();
    return group;
  }));
  const idle = () => Promise.all(groups.map((group) => group.read({ count: 1, blockMs: 500 })));
  // Until the one that looks after them is there, each looks for itself.
  await idle();
  const before = await calls(rig, "xreadgroup");
  for (let round = 0; round < 3; round++) await idle();
  const polls = await calls(rig, "xreadgroup") - before;
  assert(polls <= 3 * groups.length, `${polls} polls of ${groups.length} readers in 1.5 s`);
  assert(await calls(rig, "xgroup\\|createconsumer") <= groups.length, "each is made known once");
  const reading = groups.map((group) => group.read({ count: 1, blockMs: 30_000 }));
  await broker.publish(Array.from({ length: 10 }, (_, n) => ({ stream: `s${n}`, data: "1" })));
  assertEquals((await Promise.all(reading)).flat().length, groups.length);
});

redisTest("a waiting reader beyond the cap learns that its stream, or only its group, is gone", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 1 });
  const client = rig.client();
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  for (const remove of [() => client.del("s"), () => client.xgroup("DESTROY", "s", "g")]) {
    await group.ensure();
    await group.read({ count: 1, blockMs: 50 });
    const read = assertRejects(() => group.read({ count: 1, blockMs: 30_000 }), GroupMissingError);
    await remove();
    await read;
  }
});

redisTest("a reader beyond the cap reads from a stream that was made anew with lesser ids", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ max_connections: 1 });
  const client = rig.client();
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  await group.ensure();
  await client.xadd("s", "9999999999999-1", "data", "1");
  assertEquals((await group.read({ count: 1, blockMs: 5_000 })).length, 1);
  await group.read({ count: 1, blockMs: 300 });
  const read = group.read({ count: 1, blockMs: 30_000 });
  await client.multi().del("s").xgroup("CREATE", "s", "g", "0", "MKSTREAM").xadd("s", "5-1", "data", "2")
    .exec();
  assertEquals((await read).map(({ id }) => id), ["5-1"]);
});

redisTest("close leaves no connection behind", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  await group.ensure();
  await group.read({ count: 1, blockMs: 5 });
  assertEquals(await connections(rig), 2);
  await broker.close();
  await until(async () => await connections(rig) === 0, "the server sees no connection");
});

redisTest("a consumer reads once at a time", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  await group.ensure();
  const first = group.read({ count: 1, blockMs: 200 });
  await assertRejects(() => group.read({ count: 1 }), IncorrectUsageError, "is reading already");
  assertEquals(await first, []);
});
