/**
 * A Redis that answers and refuses the work, and one that is not the master any more (D1, D4, F13, F28).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { BrokerUnavailableError, RefusedError } from "../../lib/errors.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { consumerOf, eventually, publish, RedisRig, STREAM, textsOf } from "./redis_rig.ts";

redisTest(
  "a demoted master that keeps its sockets is left for the new one behind the address (D1)",
  async () => {
    await using rig = await RedisRig.open();
    await using next = await RedisServer.start();
    await using proxy = TcpProxy.start(rig.server.port);
    const broker = await rig.broker({ URI: `redis://127.0.0.1:${proxy.port}` });
    const [reading, idle] = [await consumerOf(broker, "a"), await consumerOf(broker, "b", "idle")];
    await publish(broker, "1");
    assertEquals(textsOf(await reading.read({ count: 9, blockMs: 10 })), ["1"]);
    const blocked = reading.read({ count: 9, blockMs: 5000 }).catch(() => []);
    await rig.blocked(1);
    // Nothing dies: the old master becomes a replica, its sockets stay open, the address leads to the new
    // one.
    proxy.move(next.port);
    await rig.client().replicaof("127.0.0.1", next.port);
    await blocked;
    await eventually(async () => {
      await Promise.all([reading.ensure(), idle.ensure()]);
      await publish(broker, "2");
    });
    assertEquals(textsOf(await eventually(() => reading.read({ count: 9, blockMs: 10 }))), ["2"]);
    assertEquals(textsOf(await eventually(() => idle.read({ count: 9, blockMs: 10 }))), ["2"]);
    await broker.ping(AbortSignal.timeout(1000));
  },
);

redisTest(
  "a replica at the address is unavailable from the first command on, and taken once it is promoted",
  async () => {
    await using rig = await RedisRig.open();
    await using replica = await RedisServer.start({
      args: ["--replicaof", "127.0.0.1", String(rig.server.port)],
    });
    const broker = await rig.broker({ URI: replica.uri });
    await assertRejects(() => broker.ping(AbortSignal.timeout(1000)), BrokerUnavailableError, "replica");
    await new Deno.Command("redis-cli", {
      args: ["-p", String(replica.port), "REPLICAOF", "NO", "ONE"],
      stdout: "null",
    }).output();
    await eventually(() => publish(broker, "1"));
  },
);

redisTest(
  "a worker that starts while Redis is at maxmemory reads and acknowledges what is there (D4)",
  async () => {
    await using rig = await RedisRig.open();
    const before = await rig.broker();
    await consumerOf(before, "a");
    await publish(before, "1", "2");
    const bare = rig.client();
    await bare.config("SET", "maxmemory", "1");
    await assertRejects(() => publish(before, "3"), BrokerUnavailableError, "OOM");
    const after = await rig.broker();
    const group = after.group({ stream: STREAM, group: "shop.OrderEvents", consumer: "b" });
    assertEquals(await group.ensure(), false);
    const entries = await group.read({ count: 9, blockMs: 10 });
    assertEquals(textsOf(entries), ["1", "2"]);
    assertEquals(await group.ack(entries.map(({ id }) => id)), 2);
    await bare.config("SET", "maxmemory", "0");
    await publish(before, "3");
  },
);

redisTest("a Redis that does not know CLIENT or INFO is worked with", async () => {
  for (const command of ["CLIENT", "INFO"]) {
    await using rig = await RedisRig.open({ args: ["--rename-command", command, ""] });
    const broker = await rig.broker();
    await broker.ping(AbortSignal.timeout(1000));
    const group = await consumerOf(broker, "a");
    await publish(broker, "1");
    assertEquals(textsOf(await group.read({ count: 1, blockMs: 10 })), ["1"]);
  }
});

redisTest("what Redis refuses to everybody is told from what is wrong with an entry (D10)", async () => {
  await using rig = await RedisRig.open();
  const bare = rig.client();
  const broker = await rig.broker();
  await bare.set(STREAM, "a string");
  await assertRejects(() => publish(broker, "1"), RefusedError, "holds something else");
  await bare.del(STREAM);
  await bare.call("ACL", ["SETUSER", "default", "-xadd"]);
  const [result] = await broker.publish([{ stream: STREAM, data: "1" }]);
  assert(result && "error" in result && result.error instanceof RefusedError, String(result));
  await bare.call("ACL", ["SETUSER", "default", "+xadd"]);
  await publish(broker, "1");
});
