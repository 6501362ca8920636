/**
 * Who is alive, as consumers of a Redis group tell each other (delivery 22; D6, D11).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../lib/async/clock.ts";
import { logged } from "../support/logged.ts";
import { redisTest } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { consumerOf, eventually, publish, RedisRig, textsOf, until } from "./redis_rig.ts";

const FOREVER_MS = 3_600_000;
const [dead, living, python] = ["Orders-a-1-aaaaaa", "Orders-b-2-bbbbbb", "Orders-c-3-cccccc"];

redisTest(
  "what a process left that is gone is claimable long before the threshold, in order, and no more than that",
  async () => {
    await using rig = await RedisRig.open();
    const one = await rig.broker();
    const other = await rig.broker();
    const [left, kept] = [await consumerOf(one, dead), await consumerOf(other, living)];
    await publish(one, "1", "2", "3", "4");
    const [first] = await left.read({ count: 1 });
    await kept.read({ count: 1 });
    await left.read({ count: 1 });
    // A Python service shows nothing: its entries wait for the threshold, whatever its consumer is called.
    await rig.client().call(
      "XREADGROUP",
      "GROUP",
      kept.group,
      python,
      "COUNT",
      1,
      "STREAMS",
      kept.stream,
      ">",
    );
    assertEquals(await kept.pending({ limit: 9, minIdleMs: FOREVER_MS }), []);
    await one.close();
    const begun = await consumerOf(other, "Orders-d-4-dddddd");
    assertEquals(await begun.unclear?.(), true);
    await until(
      async () => (await kept.pending({ limit: 9, minIdleMs: FOREVER_MS })).length > 0,
      "one is gone",
    );
    const found = await kept.pending({ limit: 9, minIdleMs: FOREVER_MS });
    assertEquals(found.map(({ consumer, idleMs }) => [consumer, idleMs]), [[dead, Infinity], [
      dead,
      Infinity,
    ]]);
    assertEquals((await kept.pending({ limit: 1, minIdleMs: FOREVER_MS })).map(({ id }) => id), [first?.id]);
    const claimed = await kept.claim(found.map(({ id, consumer }) => ({ id, from: consumer })), FOREVER_MS);
    assertEquals(textsOf(claimed), ["1", "3"]);
    await until(async () => await begun.unclear?.() === false, "nothing of the dead is left");
  },
);

redisTest("whoever may read is in the set already: it may be killed before its next look", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  // The first begins the looks; the second comes between two of them.
  for (const consumer of [dead, living]) {
    await consumerOf(broker, consumer);
    const isMember = await rig.client().sismember("protean:consumers", consumer.replace("Orders-", ""));
    assertEquals(isMember, 1, consumer);
  }
});

redisTest(
  "the living keep what is theirs, however long nobody could refresh it, and the first to come back robs nobody (D11)",
  async () => {
    await using rig = await RedisRig.open();
    await using proxy = TcpProxy.start(rig.server.port);
    const [one, other] = [
      await rig.broker(),
      await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}` }),
    ];
    const [mine, theirs] = [await consumerOf(one, dead), await consumerOf(other, living)];
    await publish(one, "1");
    const [entry] = await theirs.read({ count: 1 });
    assert(entry);
    await until(async () => await mine.unclear?.() === false, "the other has shown itself");
    // Idle for longer than the threshold, seen a moment ago.
    assertEquals(await mine.pending({ limit: 9, minIdleMs: 1 }), []);
    assertEquals(await mine.claim([{ id: entry.id, from: living }], 0), []);
    // Everybody was cut off; one is back sooner than the other.
    rig.server.freeze();
    proxy.blackhole();
    await new Promise((resolve) => setTimeout(resolve, 6000));
    rig.server.thaw();
    await eventually(() => one.ping(AbortSignal.timeout(1000)));
    assertEquals(await mine.pending({ limit: 9, minIdleMs: 1 }), []);
    assertEquals(await mine.claim([{ id: entry.id, from: living }], 0), []);
  },
);

for (const ms of [3_000, 30 * 24 * FOREVER_MS]) {
  redisTest(
    `the living keep what is theirs when Redis's clock is put forward by ${ms / 1000} s (D11)`,
    async () => {
      await using rig = await RedisRig.open();
      // Nobody can put the clock of a Redis alone, but everybody who looks at it: put back from here, it is
      // put forward from there. And the other does not get through for as long as it then seems not to have.
      let backMs = 0;
      const clock: Clock = { ...systemClock, monotonic: () => performance.now() - backMs };
      await using proxy = TcpProxy.start(rig.server.port);
      const one = await rig.broker({}, clock);
      const other = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}` });
      const [mine, theirs] = [await consumerOf(one, dead), await consumerOf(other, living)];
      await publish(one, "1");
      const [entry] = await theirs.read({ count: 1 });
      assert(entry);
      await until(async () => await mine.unclear?.() === false, "the other has shown itself");
      await new Promise((resolve) => setTimeout(resolve, 4000));
      if (ms < FOREVER_MS) {
        proxy.blackhole();
        await new Promise((resolve) => setTimeout(resolve, ms));
      } else {
        const idle = ["IDLE", ms, "JUSTID"];
        await rig.client().call("XCLAIM", theirs.stream, theirs.group, living, 0, entry.id, ...idle);
      }
      backMs = ms;
      const from = [{ id: entry.id, from: living }];
      assertEquals([await mine.claim(from, 2000), await mine.pending({ limit: 9, minIdleMs: 2000 })], [
        [],
        [],
      ]);
    },
  );
}

redisTest(
  "of one that was silent already, a process that begins takes nothing before five seconds",
  async () => {
    await using rig = await RedisRig.open();
    const [one, other] = [await rig.broker(), await rig.broker()];
    const left = await consumerOf(one, dead);
    await publish(one, "1");
    await left.read({ count: 1 });
    await one.close();
    const client = rig.client();
    await until(async () => {
      const [consumer] = await client.xinfo("CONSUMERS", left.stream, left.group) as readonly unknown[][];
      return Number(consumer?.[consumer.indexOf("idle") + 1]) > 3000;
    }, "it is silent for three seconds");
    // Redis may have been away until now, and the other be alive: it has some time to show itself.
    const begun = await consumerOf(other, living);
    const began = performance.now();
    await until(
      async () => (await begun.pending({ limit: 9, minIdleMs: FOREVER_MS })).length > 0,
      "it is taken for gone",
    );
    const took = performance.now() - began;
    assert(took > 4900 && took < 7000, `${Math.round(took)} ms`);
  },
);

redisTest(
  "whoever wakes from the machine's suspension judges nobody: the monotonic clock stood",
  async () => {
    await using rig = await RedisRig.open();
    let asleepMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + asleepMs };
    const [gone, other] = [await rig.broker(), await rig.broker({}, clock)];
    const [left, mine] = [await consumerOf(gone, dead), await consumerOf(other, living)];
    await publish(gone, "1");
    const [entry] = await left.read({ count: 1 });
    assert(entry);
    await gone.close();
    const claimable = () => mine.pending({ limit: 9, minIdleMs: FOREVER_MS });
    await until(async () => (await claimable()).length > 0, "one is gone");
    asleepMs = 60_000;
    assertEquals(await claimable(), []);
    assertEquals(await mine.claim([{ id: entry.id, from: dead }], FOREVER_MS), []);
  },
);

redisTest("a consumer that retires shows itself no more and is not made again", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, living);
  await group.read({ count: 1 });
  assertEquals(await group.retire(), true);
  await group.close();
  const consumers = await rig.client().call("XINFO", "CONSUMERS", group.stream, group.group);
  assertEquals(consumers, []);
});

redisTest("processes that Redis has forgotten are in the set again with the next look", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  await consumerOf(broker, living);
  const client = rig.client();
  const shown = () => client.smembers("protean:consumers");
  await until(async () => (await shown()).length > 0, "it shows itself");
  await client.flushall();
  await until(async () => (await shown()).length > 0, "it shows itself again");
  assertEquals(await shown(), ["b-2-bbbbbb"]);
});

redisTest("consumers that are removed leave the set of processes", async () => {
  await using rig = await RedisRig.open();
  const [one, other] = [await rig.broker(), await rig.broker()];
  const [retiring, killed] = [await consumerOf(one, living), await consumerOf(other, dead)];
  await killed.read({ count: 1 });
  const shown = () => rig.client().smembers("protean:consumers");
  await until(async () => (await shown()).length === 2, "both show themselves");
  await other.close();
  assertEquals(await retiring.sweep(0), [dead]);
  assertEquals(await shown(), ["b-2-bbbbbb"]);
  assertEquals(await retiring.retire(), true);
  assertEquals(await shown(), []);
});

redisTest("handed back by a drain, an entry is claimable at once, though its process lives", async () => {
  await using rig = await RedisRig.open();
  const [one, other] = [await rig.broker(), await rig.broker()];
  const [mine, theirs] = [await consumerOf(one, dead), await consumerOf(other, living)];
  await publish(one, "1");
  const [entry] = await theirs.read({ count: 1 });
  assert(entry);
  await theirs.release([{ id: entry.id, count: 0 }]);
  const found = await mine.pending({ limit: 9, minIdleMs: 30_000 });
  assertEquals(textsOf(await mine.claim(found.map(({ id, consumer }) => ({ id, from: consumer })), 30_000)), [
    "1",
  ]);
});

redisTest("a user who may not look at the others goes by the claim threshold", async () => {
  for (const missing of ["-xinfo", "-sadd", "-smismember"]) {
    await using rig = await RedisRig.open();
    const [one, other] = [await rig.broker(), await rig.broker()];
    await rig.client().call("ACL", ["SETUSER", "default", missing]);
    const [mine, theirs] = [await consumerOf(one, dead), await consumerOf(other, living)];
    await publish(one, "1");
    await theirs.read({ count: 1 });
    await until(
      async () => (await mine.pending({ limit: 9, minIdleMs: 50 })).length === 1,
      "it is idle for long enough",
    );
    const found = await mine.pending({ limit: 9, minIdleMs: 50 });
    const claimed = await mine.claim(found.map(({ id, consumer }) => ({ id, from: consumer })), 50);
    assertEquals([missing, textsOf(claimed), await mine.unclear?.()], [missing, ["1"], false]);
  }
});

redisTest("once the missing right is given, what the dead leave is claimable at once again", async () => {
  for (const missing of ["-sadd", "-smismember"]) {
    await using rig = await RedisRig.open();
    const client = rig.client();
    await client.call("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@all", missing);
    const [mine, gone] = [
      await consumerOf(await rig.broker({ URI: `redis://narrow:pw@127.0.0.1:${rig.server.port}` }), living),
      await rig.broker(),
    ];
    await publish(gone, "1");
    const left = await consumerOf(gone, dead);
    assertEquals((await left.read({ count: 1 })).length, 1);
    await gone.close();
    assertEquals(await mine.pending({ limit: 9, minIdleMs: FOREVER_MS }), []);
    await client.call("ACL", "SETUSER", "narrow", "+@all");
    await until(
      async () => (await mine.pending({ limit: 9, minIdleMs: FOREVER_MS })).length === 1,
      `the right ${missing} is there, and the dead are seen`,
    );
  }
});

redisTest("a set of processes that is something else is told by its name", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const [mine, theirs] = [await consumerOf(broker, living), await consumerOf(broker, python)];
  await publish(broker, "1");
  await theirs.read({ count: 1 });
  await rig.client().call("SET", "protean:consumers", "not a set");
  const lines = await logged(async () => {
    // Whoever looks first, this one or the next sign of life, is refused.
    assertEquals(await mine.unclear?.(), false);
  });
  const [told] = lines.filter(({ rawMessage }) => rawMessage === "redis.presence_refused");
  assert(String(told?.properties["error"]).includes("'protean:consumers'"), JSON.stringify(lines));
});

redisTest(
  "something else in place of one stream neither hides this process nor keeps it from finding the dead",
  async () => {
    await using rig = await RedisRig.open();
    const [one, other] = [await rig.broker(), await rig.broker()];
    const [left, mine] = [await consumerOf(one, dead), await consumerOf(other, living)];
    const odd = other.group({ stream: "odd", group: "g", consumer: living });
    await odd.ensure();
    await rig.client().set("odd", "no stream");
    await publish(one, "1");
    await left.read({ count: 1 });
    const lines = await logged(async () => {
      await one.close();
      await until(async () => {
        await odd.pending({ limit: 9, minIdleMs: 1 }).catch(() => []);
        return (await mine.pending({ limit: 9, minIdleMs: FOREVER_MS })).length === 1;
      }, "the dead one is found");
    });
    assertEquals(lines.filter(({ rawMessage }) => rawMessage === "redis.presence_refused"), []);
    await odd.close();
  },
);

redisTest("a user who may not ask for the time finds the dead all the same", async () => {
  await using rig = await RedisRig.open();
  await rig.client().call("ACL", "SETUSER", "timeless", "on", ">pw", "~*", "&*", "+@all", "-time");
  const uri = `redis://timeless:pw@127.0.0.1:${rig.server.port}`;
  const [one, other] = [await rig.broker({ URI: uri }), await rig.broker({ URI: uri })];
  const [left, mine] = [await consumerOf(one, dead), await consumerOf(other, living)];
  await publish(one, "1");
  await left.read({ count: 1 });
  await one.close();
  await until(
    async () => (await mine.pending({ limit: 9, minIdleMs: FOREVER_MS })).length > 0,
    "one is gone",
  );
  const claimed = await mine.claim(
    [{ id: (await mine.pending({ limit: 1 }))[0]?.id ?? "", from: dead }],
    FOREVER_MS,
  );
  assertEquals(textsOf(claimed), ["1"]);
});
