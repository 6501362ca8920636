/**
 * Reads that are cut: nothing that was delivered goes out of sight (delivery 6).
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../lib/async/clock.ts";
import { redisTest } from "../support/redis_server.ts";
import { consumerOf, GROUP, publish, RedisRig, STREAM, textsOf } from "./redis_rig.ts";

/** A seeded generator of numbers between 0 and 1, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Waits a fraction of a millisecond too, which timers cannot. */
async function pause(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
}

/** A busy machine must not turn a cut into a destroyed socket: deadlines are far away here. */
const patient: Clock = {
  ...systemClock,
  after: (ms, callback) => systemClock.after(ms < 100 ? ms : ms * 50, callback),
};

redisTest("a cut read never strands an entry, in 200 cuts at random moments", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({}, patient);
  const writer = await rig.broker();
  const group = await consumerOf(broker, "a");
  const seed = Date.now() % 100_000;
  const random = seeded(seed);
  let empty = 0;
  for (let round = 0; round < 200; round++) {
    const stop = new AbortController();
    const reading = group.read({ count: 10, blockMs: 30_000, signal: stop.signal });
    await pause(random() * 2);
    const publishing = publish(writer, `${round}`);
    await pause(random() * 1.2);
    stop.abort();
    const read = await reading;
    await publishing;
    if (read.length === 0) empty++;
    const pending = await group.pending({ limit: 99 });
    assertEquals(
      pending.map(({ id }) => id),
      read.map(({ id }) => id),
      `stranded in round ${round}, seed ${seed}`,
    );
    // What was not delivered is still to come: nothing is lost between reads either.
    const rest = read.length > 0 ? read : await group.read({ count: 10 });
    assertEquals(textsOf(rest), [`${round}`]);
    await group.ack(rest.map(({ id }) => id));
  }
  assert(
    empty > 0 && empty < 200,
    `the moments were not random: ${empty} of 200 reads were empty, seed ${seed}`,
  );
});

redisTest("a read that is cut before it reached the server is cut all the same", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker({}, patient);
  const group = await consumerOf(broker, "a");
  await group.read({ count: 1, blockMs: 5 });
  for (let round = 0; round < 50; round++) {
    const stop = new AbortController();
    const reading = group.read({ count: 1, blockMs: 30_000, signal: stop.signal });
    await pause(0.05 * (round % 5));
    stop.abort();
    assertEquals(await reading, []);
  }
});

redisTest("a consumer that closes while it reads cuts its read and keeps what it had", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const group = await consumerOf(broker, "a");
  const reading = group.read({ count: 1, blockMs: 30_000 });
  await rig.blocked(1);
  await group.close();
  assertEquals(await reading, []);
  await publish(broker, "1");
  const again = broker.group({ stream: STREAM, group: GROUP, consumer: "a" });
  assertEquals(textsOf(await again.read({ count: 1, blockMs: 1000 })), ["1"]);
});
