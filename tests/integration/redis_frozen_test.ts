/**
 * A server that stops answering without closing anything (F8), and what is bounded then.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { BrokerUnavailableError } from "../../lib/errors.ts";
import { redisTest } from "../support/redis_server.ts";
import { consumerOf, eventually, IMPATIENT, publish, RedisRig, textsOf } from "./redis_rig.ts";

/** How long `work` takes to reject as unavailable. */
async function timeToReject(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await assertRejects(work, BrokerUnavailableError);
  return performance.now() - start;
}

redisTest(
  "a read of a frozen server ends after block and margin, and goes on when it thaws (F8)",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker(IMPATIENT);
    const group = await consumerOf(broker, "a");
    await publish(broker, "1");
    assertEquals(textsOf(await group.read({ count: 1, blockMs: 10 })), ["1"]);
    rig.server.freeze();
    const took = await timeToReject(() => group.read({ count: 1, blockMs: 200 }));
    assert(took >= 440, `${took} ms is before block and margin`);
    assertLess(took, 2000);
    // Connecting succeeds in the kernel; that nobody greets back is noticed too.
    assertLess(await timeToReject(() => group.read({ count: 1, blockMs: 200 })), 3000);
    rig.server.thaw();
    await eventually(() => publish(broker, "2"));
    const read = textsOf(await eventually(() => group.read({ count: 9, blockMs: 200 })));
    // What the given-up read had sent may still arrive: then its entries are pending here, as after any lost
    // reply.
    const own = await eventually(() => group.pending({ limit: 9, consumer: "a" }));
    const found = textsOf(await group.claim(own.map(({ id }) => ({ id, from: "a" })), 0));
    assert(read.includes("2") || found.includes("2"), `read ${read}, pending ${found}`);
  },
);

redisTest(
  "a command to a frozen server ends after socket_timeout, a ping when its signal says so",
  async () => {
    await using rig = await RedisRig.open();
    const broker = await rig.broker({ socket_timeout: 0.4, socket_connect_timeout: 0.3 });
    await broker.ping(AbortSignal.timeout(1000));
    rig.server.freeze();
    assertLess(await timeToReject(() => broker.ping(AbortSignal.timeout(50))), 350);
    assertLess(await timeToReject(() => publish(broker, "1")), 2000);
    rig.server.thaw();
    await eventually(() => broker.ping(AbortSignal.timeout(1000)));
  },
);

redisTest("a cut read of a frozen server returns after 200 ms, with its socket", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  await group.read({ count: 1, blockMs: 10 });
  const stop = new AbortController();
  const reading = group.read({ count: 1, blockMs: 60_000, signal: stop.signal });
  await rig.blocked(1);
  rig.server.freeze();
  const start = performance.now();
  stop.abort();
  assertEquals(await reading, []);
  const took = performance.now() - start;
  assert(took >= 190, `${took} ms: CLIENT UNBLOCK was not waited for`);
  assertLess(took, 1500);
  rig.server.thaw();
});

redisTest("close is quick while the server is frozen, and ends what is under way", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  await group.read({ count: 1, blockMs: 10 });
  const reading = group.read({ count: 1, blockMs: 60_000 });
  await rig.blocked(1);
  rig.server.freeze();
  const asking = assertRejects(() => broker.length("s"), BrokerUnavailableError);
  const start = performance.now();
  await broker.close();
  await broker.close();
  assertLess(performance.now() - start, 1500);
  assertEquals(await reading, []);
  await asking;
  await assertRejects(() => broker.length("s"), BrokerUnavailableError, "closed");
  rig.server.thaw();
});
