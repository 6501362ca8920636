/**
 * What Redis refuses, told in one sentence and sorted by who can help (issue 3, bad input; F11 to F14).
 *
 * @module
 */
import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import {
  BrokerUnavailableError,
  ConfigurationError,
  GroupMissingError,
  RefusedError,
} from "../../lib/errors.ts";
import { partitionIndex, partitionStream } from "../../lib/message/partitions.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { consumerOf, eventually, GROUP, publish, RedisRig, STREAM, textsOf } from "./redis_rig.ts";

const second = () => AbortSignal.timeout(1000);

redisTest(
  "a wrong, missing or needless password is a configuration error that does not show it",
  async () => {
    await using secured = await RedisServer.start({ args: ["--requirepass", "right"] });
    await using open = await RedisServer.start();
    for (
      const uri of [
        `redis://:secret@127.0.0.1:${secured.port}`,
        `redis://secret:secret@127.0.0.1:${secured.port}`,
        `redis://127.0.0.1:${secured.port}`,
        `redis://:secret@127.0.0.1:${open.port}`,
      ]
    ) {
      const broker = new RedisBroker({
        name: "default",
        domain: "shop",
        settings: { URI: uri },
        folder: Deno.cwd(),
        clock: systemClock,
      });
      await broker.open();
      const error = await assertRejects(
        () => broker.ping(second()),
        ConfigurationError,
        "refuses the user or password",
      );
      assertFalse(Deno.inspect(error, { depth: 10 }).includes(":secret"), Deno.inspect(error));
      assert(error.message.includes("brokers.default.URI"));
      await broker.close();
    }
  },
);

redisTest("a right password and database are used", async () => {
  await using rig = await RedisRig.open({ args: ["--requirepass", "ri:ght@"] });
  const broker = await rig.broker({ URI: `redis://:ri%3Aght%40@127.0.0.1:${rig.server.port}/5` });
  await publish(broker, "1");
  const bare = rig.client({ password: "ri:ght@" });
  assertEquals(await bare.xlen(STREAM), 0);
  await bare.select(5);
  assertEquals(await bare.xlen(STREAM), 1);
});

redisTest("a database that does not exist is a configuration error, never database 0", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({ URI: `redis://127.0.0.1:${rig.server.port}/99` });
  await assertRejects(() => publish(broker, "1"), ConfigurationError, "has no database 99");
  assertEquals(await rig.client().dbsize(), 0);
});

redisTest("a key of another type is a configuration error that names it, for its entry alone", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const bare = rig.client();
  await bare.set(STREAM, "not a stream");
  const results = await broker.publish([{ stream: "fine", data: "1" }, { stream: STREAM, data: "2" }]);
  assert(results[0] && "id" in results[0]);
  assert(results[1] && "error" in results[1]);
  assertInstanceOf(results[1].error, ConfigurationError);
  assert(results[1].error.message.includes(`'${STREAM}'`), results[1].error.message);
  const group = broker.group({ stream: STREAM, group: GROUP, consumer: "a" });
  for (
    const work of [
      () => group.ensure(),
      () => group.read({ count: 1, blockMs: 10 }),
      () => group.read({ count: 1 }),
      () => group.ack(["1-1"]),
      () => group.refresh(["1-1"]),
      () => group.attempt("1-1"),
      () => group.pending({ limit: 1 }),
      () => group.claim([{ id: "1-1", from: "b" }], 0),
      () => group.deadLetter("1-1", "s:dlq", "x"),
      () => group.release([{ id: "1-1", count: 0 }]),
      () => group.trim(0),
      () => group.retire(),
      () => group.sweep(0),
      () => group.info(),
      () => broker.length(STREAM),
      () => broker.deadLetters.list(STREAM, { limit: 1 }),
    ]
  ) {
    await assertRejects(work, ConfigurationError, `'${STREAM}'`);
  }
});

redisTest("whether a group is there is asked without the list of all groups of its stream", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = broker.group({ stream: "orders", group: "shop.A", consumer: "A-host-1-00000a" });
  assertEquals([await group.ensure(), await group.ensure()], [true, false]);
  const lane = broker.group({ stream: "lane", group: "shop.A", consumer: "A-host-1-00000a", lane: true });
  assertEquals(await lane.ensure(), false);
  const commands = await rig.client().info("commandstats");
  assert(!commands.includes("xinfo|groups"), commands);
  assert(commands.includes("xinfo|consumers"), commands);
});

redisTest(
  "where all that was not read was deleted, a lag that Redis does not count is 0, and else unknown",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const client = rig.client();
    const streams = [STREAM, partitionStream(STREAM, "a")] as const;
    for (const stream of streams) {
      for (const n of [1, 2, 3, 4]) await client.xadd(stream, `${n}-0`, "data", `"${n}"`);
      await client.xgroup("CREATE", stream, GROUP, "2-0");
      await client.xdel(stream, "4-0");
    }
    await client.sadd(partitionIndex(STREAM), "a");
    const lags = async () => [
      (await broker.groups(STREAM)).map(({ lag }) => lag),
      (await broker.partitions?.info(STREAM, GROUP, 10))?.lag,
    ];
    assertEquals(await lags(), [[null], null]);
    for (const stream of streams) await client.xdel(stream, "3-0");
    assertEquals(await lags(), [[0], 0]);
  },
);

redisTest("after FLUSHALL the group is missing until it is ensured, and reading goes on (F11)", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  const reading = assertRejects(() => group.read({ count: 1, blockMs: 5000 }), GroupMissingError);
  const bare = rig.client();
  await rig.blocked(1);
  await bare.flushall();
  await bare.script("FLUSH");
  await reading;
  await assertRejects(() => group.read({ count: 1, blockMs: 10 }), GroupMissingError);
  assertEquals(await group.ensure(), true);
  assertEquals(await group.ensure(), false);
  const [id = ""] = await publish(broker, "1");
  assertEquals(textsOf(await group.read({ count: 1, blockMs: 10 })), ["1"]);
  assertEquals(await group.attempt(id), 2, "scripts that the server forgot are sent again");
});

redisTest("trimmed entries leave the pending list when they are claimed (F12)", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const [a, b] = [await consumerOf(broker, "a"), await consumerOf(broker, "b")];
  const ids = await publish(broker, "1", "2", "3");
  await a.read({ count: 9 });
  await rig.client().xtrim(STREAM, "MAXLEN", 1);
  const claimed = await b.claim(ids.map((id) => ({ id, from: "a" })), 0);
  assertEquals(claimed.map(({ data, trimmed }) => [data, trimmed]), [[undefined, true], [undefined, true], [
    "3",
    false,
  ]]);
  assertEquals((await b.pending({ limit: 9 })).map(({ id }) => id), ids.slice(2));
});

redisTest(
  "entries that a full Redis refuses are unavailable, all of a batch alike, and go through later (F13)",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker();
    const group = await consumerOf(broker, "a");
    const [id = ""] = await publish(broker, "1");
    await group.read({ count: 1 });
    const bare = rig.client();
    await bare.config("SET", "maxmemory", "1");
    const results = await broker.publish(["2", "3"].map((data) => ({ stream: STREAM, data })));
    for (const result of results) {
      assert("error" in result);
      assertInstanceOf(result.error, BrokerUnavailableError);
      assert(result.error.message.includes("OOM"), result.error.message);
    }
    await assertRejects(() => group.deadLetter(id, `${STREAM}:dlq`, "x"), BrokerUnavailableError, "OOM");
    assertEquals(await group.refresh([id]), [], "what frees memory or takes none still works");
    assertEquals(await group.ack([id]), 1);
    await bare.config("SET", "maxmemory", "0");
    await publish(broker, "2", "3");
    assertEquals(textsOf(await group.read({ count: 9 })), ["2", "3"]);
  },
);

redisTest("a Redis that became read-only is unavailable, and recovers (F14)", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  await publish(broker, "1");
  const waiting = await consumerOf(broker, "b", "other");
  await waiting.read({ count: 1, blockMs: 10 });
  const blocked = assertRejects(
    () => waiting.read({ count: 1, blockMs: 5000 }),
    BrokerUnavailableError,
    "UNBLOCKED",
  );
  const bare = rig.client();
  await rig.blocked(1);
  await bare.replicaof("127.0.0.1", 1);
  await blocked;
  await assertRejects(() => publish(broker, "2"), BrokerUnavailableError, "READONLY");
  // Every connection that was told so is given up, and a new one is refused: a replica is never what is
  // wanted.
  await assertRejects(() => group.read({ count: 1, blockMs: 10 }), BrokerUnavailableError, "replica");
  await assertRejects(() => broker.ping(second()), BrokerUnavailableError, "replica");
  await bare.replicaof("NO", "ONE");
  await eventually(() => publish(broker, "2"));
  assertEquals(textsOf(await group.read({ count: 9, blockMs: 10 })), ["1", "2"]);
});

redisTest("a user without INFO and CLIENT still works; one without XADD is told so", async () => {
  await using rig = await RedisRig.open();
  await rig.client().call("ACL", [
    "SETUSER",
    "ann",
    "on",
    ">pw",
    "~*",
    "+@all",
    "-info",
    "-client",
    "-xadd",
  ]);
  const broker = await rig.broker({ URI: `redis://ann:pw@127.0.0.1:${rig.server.port}` });
  const group = await consumerOf(broker, "a");
  assertEquals(await group.read({ count: 1, blockMs: 10 }), []);
  const stop = new AbortController();
  const cut = group.read({ count: 1, blockMs: 60_000, signal: stop.signal });
  stop.abort();
  assertEquals(await cut, []);
  await assertRejects(() => publish(broker, "1"), ConfigurationError, "lacks a permission");
});

redisTest("something else than Redis behind the port is unavailable, quickly", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      connection.close();
    }
  })();
  const broker = new RedisBroker({
    name: "default",
    domain: "shop",
    settings: { URI: `redis://127.0.0.1:${(listener.addr as Deno.NetAddr).port}` },
    folder: Deno.cwd(),
    clock: systemClock,
  });
  await broker.open();
  await eventually(() => assertRejects(() => broker.ping(second()), BrokerUnavailableError));
  await broker.close();
  listener.close();
  await serving;
});

redisTest("what a missing right keeps from its end is not begun: nothing is there twice", async () => {
  await using rig = await RedisRig.open();
  const bare = rig.client();
  const broker = await rig.broker();
  const [dead, lane] = [`${STREAM}:dlq`, `${STREAM}:replay:${GROUP}`];
  const group = await consumerOf(broker, "a");
  await publish(broker, "1", "2");
  const [first, second] = await group.read({ count: 2, blockMs: 10 });
  assert(first && second);
  assert(await group.deadLetter(first.id, dead, "one"));
  const [letter] = await broker.deadLetters.list(dead, { limit: 1 });
  assert(letter);
  for (
    const [right, work] of [
      ["xack", () => group.deadLetter(second.id, dead, "two")],
      ["xdel", () => broker.deadLetters.replay(dead, letter.id, lane, GROUP)],
    ] as const
  ) {
    await bare.call("ACL", ["SETUSER", "default", `-${right}`]);
    for (let tries = 0; tries < 3; tries++) await assertRejects(work, RefusedError, right);
    assertEquals([await bare.xlen(dead), await bare.xlen(lane)], [1, 0]);
    await bare.call("ACL", ["SETUSER", "default", `+${right}`]);
  }
  assert(await group.deadLetter(second.id, dead, "two"));
  assert(await broker.deadLetters.replay(dead, letter.id, lane, GROUP));
  assertEquals([await bare.xlen(dead), await bare.xlen(lane)], [1, 1]);

  const replays = broker.group({ stream: lane, group: GROUP, consumer: "a", lane: true });
  const [replayed] = await replays.read({ count: 1 });
  assert(replayed);
  await bare.call("ACL", ["SETUSER", "default", "-xdel"]);
  await assertRejects(() => replays.ack([replayed.id]), RefusedError, "xdel");
  await bare.call("ACL", ["SETUSER", "default", "+xdel"]);
  assertEquals(await replays.ack([replayed.id]), 1);
  assertEquals(await bare.exists(lane), 0);
});

redisTest(
  "a dead-letter stream or a lane of another type is told by its own name, not by its stream's",
  async () => {
    await using rig = await RedisRig.open();
    const bare = rig.client();
    const broker = await rig.broker();
    const [dead, lane] = [`${STREAM}:dlq`, `${STREAM}:replay:${GROUP}`];
    const group = await consumerOf(broker, "a");
    await publish(broker, "1");
    const [entry] = await group.read({ count: 1, blockMs: 10 });
    assert(entry);
    await bare.set(dead, "not a stream");
    await assertRejects(() => group.deadLetter(entry.id, dead, "x"), RefusedError, `'${dead}'`);
    await bare.del(dead);
    assert(await group.deadLetter(entry.id, dead, "x"));
    const [letter] = await broker.deadLetters.list(dead, { limit: 1 });
    assert(letter);
    await bare.set(lane, "not a stream");
    const replay = () => broker.deadLetters.replay(dead, letter.id, lane, GROUP);
    await assertRejects(replay, RefusedError, `'${lane}'`);
    await bare.del(lane);
    assert(await replay());
  },
);
