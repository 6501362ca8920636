/**
 * Connections that break: what was promised holds, and reading goes on (PIPE-10, PIPE-11; F6, F7, F9, F10).
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { BrokerUnavailableError } from "../../lib/errors.ts";
import { redisTest } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { consumerOf, eventually, IMPATIENT, publish, RedisRig, STREAM, textsOf, until } from "./redis_rig.ts";

redisTest("RedisBroker opens before its server is there, and comes up with it (HLT-3)", async () => {
  await using rig = await RedisRig.open();
  await rig.server.kill();
  const broker = await rig.broker();
  const group = broker.group({ stream: "s", group: "g", consumer: "a" });
  const refused = await assertRejects(() => broker.ping(AbortSignal.timeout(1000)), BrokerUnavailableError);
  assert(refused.message.includes("ECONNREFUSED"), refused.message);
  await assertRejects(() => group.read({ count: 1, blockMs: 10 }), BrokerUnavailableError);
  await rig.server.restart();
  await eventually(() => broker.ping(AbortSignal.timeout(1000)));
  assertEquals(await group.ensure(), true);
});

redisTest("RedisBroker rejects at once while it knows that the server is away", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  await broker.length("s");
  await rig.server.kill();
  await assertRejects(() => broker.length("s"), BrokerUnavailableError);
  const start = performance.now();
  for (let call = 0; call < 100; call++) {
    await assertRejects(() => broker.length("s"), BrokerUnavailableError);
  }
  assertLess(performance.now() - start, 1000);
});

redisTest("a read whose reply is lost leaves its entries where their consumer finds them", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const direct = await rig.broker();
  const far = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}` });
  const group = await consumerOf(far, "a");
  const observer = await consumerOf(direct, "observer");
  await publish(direct, "1", "2");
  assertEquals(textsOf(await group.read({ count: 1, blockMs: 10 })), ["1"]);
  proxy.delay(100);
  const lost = assertRejects(() => group.read({ count: 1, blockMs: 5000 }), BrokerUnavailableError);
  // The entry is delivered, the reply is still on its way.
  await until(async () => (await observer.pending({ limit: 9 })).length === 2, "the entry is delivered");
  proxy.heal();
  proxy.cut();
  await lost;
  assertEquals(await group.read({ count: 9, blockMs: 10 }), []);
  const mine = await group.pending({ limit: 9, consumer: "a" });
  const found = await group.claim(mine.map(({ id, consumer }) => ({ id, from: consumer })), 0);
  assertEquals(found.map(({ data, count }) => [data, count]), [["1", 1], ["2", 1]]);
});

redisTest("acknowledgements that travel with a lost read are the caller's to repeat", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const broker = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT });
  const group = await consumerOf(broker, "a");
  const ack = await publish(broker, "1");
  await group.read({ count: 1, blockMs: 10 });
  proxy.swallow();
  await assertRejects(() => group.read({ count: 1, blockMs: 10, ack }), BrokerUnavailableError);
  proxy.cut();
  assertEquals(await eventually(() => group.ack(ack)), 1);
});

redisTest(
  "a restart with an append-only file loses nothing, and reading goes on within 5 s (F6)",
  async () => {
    await using rig = await RedisRig.open({ appendOnly: true });
    const broker = await rig.broker();
    const group = await consumerOf(broker, "a");
    await publish(broker, "1", "2", "3");
    assertEquals(textsOf(await group.read({ count: 1, blockMs: 10 })), ["1"]);
    const waiting = group.read({ count: 1, blockMs: 60_000 }).then(textsOf);
    assertEquals(await waiting, ["2"]);
    const blocked = broker.group({ stream: "shop::order", group: "other", consumer: "b" });
    await blocked.ensure();
    await blocked.read({ count: 9, blockMs: 10 });
    const cut = assertRejects(() => blocked.read({ count: 1, blockMs: 60_000 }), BrokerUnavailableError);
    await until(
      async () => (await rig.client().info("clients")).includes("blocked_clients:1"),
      "the read blocks",
    );
    await rig.server.kill();
    await cut;
    await rig.server.restart();
    assertEquals(textsOf(await eventually(() => group.read({ count: 9, blockMs: 10 }), 5000)), ["3"]);
    assertEquals((await group.pending({ limit: 9 })).length, 3);
    await publish(broker, "4");
    assertEquals(textsOf(await eventually(() => blocked.read({ count: 9, blockMs: 10 }), 5000)), ["4"]);
  },
);

redisTest("three kills within three seconds are recovered from like one (F7)", async () => {
  await using rig = await RedisRig.open({ appendOnly: true });
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  await publish(broker, "1");
  const stop = new AbortController();
  const read: (string | undefined)[] = [];
  const reading = (async () => {
    while (!stop.signal.aborted) {
      const entries = await eventually(
        () => group.read({ count: 9, blockMs: 50, signal: stop.signal }),
        60_000,
      );
      read.push(...textsOf(entries));
    }
  })();
  await until(() => read.length === 1, "the first entry is read");
  for (let kill = 0; kill < 3; kill++) {
    await rig.server.kill();
    await new Promise((resolve) => setTimeout(resolve, 400));
    await rig.server.restart();
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  await eventually(() => publish(broker, "2"), 5000);
  await until(() => read.length === 2, "reading again", 5000);
  stop.abort();
  await reading;
  assertEquals(read, ["1", "2"]);
});

redisTest("a connection that a firewall forgot is replaced after block and margin (F9)", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const broker = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT });
  const group = await consumerOf(broker, "a");
  await group.read({ count: 1, blockMs: 10 });
  const before = proxy.accepted;
  proxy.swallow();
  const start = performance.now();
  await assertRejects(
    () => group.read({ count: 1, blockMs: 300 }),
    BrokerUnavailableError,
    "no answer within 250 ms",
  );
  assertLess(performance.now() - start, 300 + 250 + 1500);
  await publish(await rig.broker(), "1");
  assertEquals(textsOf(await eventually(() => group.read({ count: 1, blockMs: 300 }))), ["1"]);
  assert(proxy.accepted > before);
});

redisTest("what was given up as unanswered is never done after what came later", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const broker = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT });
  const group = await consumerOf(broker, "a");
  await group.read({ count: 9, blockMs: 10 });
  proxy.hold();
  await assertRejects(() => publish(broker, "late"), BrokerUnavailableError);
  await assertRejects(() => group.read({ count: 9, blockMs: 10 }), BrokerUnavailableError);
  await publish(broker, "1");
  assertEquals(textsOf(await group.read({ count: 9, blockMs: 10 })), ["1"]);
  // The old connections' bytes arrive now: an XADD behind "1", and an XREADGROUP whose reply nobody hears.
  proxy.letGo();
  await publish(broker, "2");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(textsOf(await broker.deadLetters.list(STREAM, { limit: 9 })), ["1", "2"]);
  assertEquals(textsOf(await group.read({ count: 9, blockMs: 10 })), ["2"]);
});

redisTest("a slow network is no dead one (F10)", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const broker = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}`, socket_timeout: 0.5 });
  const group = await consumerOf(broker, "a");
  await publish(broker, ...Array.from({ length: 50 }, (_, index) => String(index)));
  // Every piece takes 100 ms, so a reply of many pieces takes longer than the timeout, but never falls silent
  // for so long.
  await publish(broker, "x".repeat(2_000_000));
  proxy.delay(100);
  const read = [
    ...await group.read({ count: 50, blockMs: 100 }),
    ...await group.read({ count: 1, blockMs: 100 }),
  ];
  assertEquals(read.length, 51);
  assertEquals(read.at(-1)?.data?.length, 2_000_000);
});

redisTest("a command whose connection broke is sent once more with retry_on_timeout", async () => {
  await using rig = await RedisRig.open();
  await using proxy = TcpProxy.start(rig.server.port);
  const settings = { URI: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT };
  for (const retry of [false, true]) {
    const broker = await rig.broker({ ...settings, retry_on_timeout: retry });
    await broker.length("s");
    proxy.swallow();
    if (retry) assertEquals(await broker.length("s"), 0);
    else await assertRejects(() => broker.length("s"), BrokerUnavailableError);
    // Repeating these could do them twice, or misreport what the first one did.
    await broker.length("s").catch(() => {});
    proxy.swallow();
    await assertRejects(() => publish(broker, "1"), BrokerUnavailableError);
  }
});
