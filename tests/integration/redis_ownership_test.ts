/**
 * Consumers that take entries from each other: only the owner may count, refresh or bury an entry (delivery
 * 1, 2).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { StreamGroup } from "../../lib/adapters/ports.ts";
import { redisTest } from "../support/redis_server.ts";
import { consumerOf, publish, RedisRig, STREAM } from "./redis_rig.ts";

const DEAD = `${STREAM}:dlq`;

/** What one thief did to one entry, in the order of the server's own answers. */
interface Outcome {
  readonly claims: number;
  readonly attempts: number[];
  readonly buried: string[];
}

/**
 * Claims whatever is pending at others, works on it, and buries it at its third attempt, until nothing is
 * pending.
 */
async function steal(self: StreamGroup): Promise<Outcome> {
  const outcome = { claims: 0, attempts: [] as number[], buried: [] as string[] };
  while (true) {
    const pending = await self.pending({ limit: 50 });
    if (pending.length === 0) return outcome;
    const others = pending.filter(({ consumer }) => consumer !== self.consumer);
    const claimed = await self.claim(others.map(({ id, consumer }) => ({ id, from: consumer })), 0);
    outcome.claims += claimed.length;
    const mine = pending.filter(({ consumer }) => consumer === self.consumer).map(({ id }) => id);
    const lost = new Set(await self.refresh(mine));
    for (const { id } of [...claimed, ...mine.filter((id) => !lost.has(id)).map((id) => ({ id }))]) {
      const count = await self.attempt(id);
      if (count === undefined) continue;
      outcome.attempts.push(count);
      if (count >= 3 && await self.deadLetter(id, DEAD, id)) outcome.buried.push(id);
    }
  }
}

redisTest("consumers that steal from each other under load bury every entry once", async () => {
  await using rig = await RedisRig.open();
  const brokers = [await rig.broker(), await rig.broker(), await rig.broker()];
  const groups = await Promise.all(brokers.map((broker, index) => consumerOf(broker, `thief-${index}`)));
  const [broker] = brokers;
  const [reader] = groups;
  assert(broker && reader);
  const ids = await publish(broker, ...Array.from({ length: 300 }, (_, index) => `${index}`));
  await reader.read({ count: 300 });
  const outcomes = await Promise.all(groups.map(steal));
  const buried = outcomes.flatMap((outcome) => outcome.buried);
  assertEquals([...buried].sort(), [...ids].sort(), "each was buried by exactly one");
  const dead = await broker.deadLetters.list(DEAD, { limit: 999 });
  assertEquals(dead.map(({ data }) => data).sort(), [...ids].sort(), "and written exactly once");
  // Read once, then attempts 2 and 3: a counted attempt that its owner lost at once may add one, never take
  // one away.
  const attempts = outcomes.flatMap((outcome) => outcome.attempts);
  assert(
    attempts.filter((count) => count === 2).length === 300,
    "the second attempt of each was counted once",
  );
  assert(outcomes.filter((outcome) => outcome.claims > 0).length > 1, "somebody stole");
  assertEquals((await reader.info())?.pending, 0);
});

redisTest("an entry is never refreshed back from the consumer that claimed it", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const [a, b] = [await consumerOf(broker, "a"), await consumerOf(await rig.broker(), "b")];
  const ids = await publish(broker, ...Array.from({ length: 100 }, (_, index) => `${index}`));
  await a.read({ count: 100 });
  const lost = new Set<string>();
  const stolen = new Set<string>();
  const refreshing = (async () => {
    while (lost.size < 100) for (const id of await a.refresh(ids)) lost.add(id);
  })();
  for (const id of ids) {
    for (const entry of await b.claim([{ id, from: "a" }], 0)) stolen.add(entry.id);
  }
  await refreshing;
  assertEquals([...stolen].sort(), [...ids].sort());
  assertEquals((await b.pending({ limit: 999, consumer: "b" })).length, 100);
});
