/**
 * `domain.deadLetters` beside a running engine, on every broker, against books of the test's own: replay with
 * the bug still there, stopped half-way, and twice at once (F22, DLQ-5).
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type DeadLetterQueues, Domain, Engine, on, type Operation, type Row } from "@protean/server";
import { z } from "zod";
import { IncorrectUsageError, ProteanError } from "../../lib/errors.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const STREAM = "shop::order";

/** Who has handled what, as the handlers themselves have noted it. */
class Books {
  readonly mailed: string[] = [];
  readonly audited: string[] = [];
  /** Ids of the orders that the mailer cannot handle. */
  readonly broken = new Set<string>();
}

function shop(books: Books) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  // The breaker would make a pause of what is to fail here; replay lanes are read once a claim interval.
  const subscriptionConfig = {
    maxRetries: 1,
    retryDelaySeconds: 0,
    circuitBreakerThreshold: 1_000,
    claimIntervalMs: 50,
  };
  domain.eventHandler("Mailer", {
    partOf: Order,
    subscriptionConfig,
    handles: [on(Placed, ({ id }) => {
      if (books.broken.has(id)) throw new RangeError(`no address for ${id}`);
      books.mailed.push(id);
    })],
  });
  domain.eventHandler("Auditor", {
    partOf: Order,
    subscriptionConfig,
    handles: [on(Placed, ({ id }) => void books.audited.push(id))],
  });
  return { domain, Placed };
}

const BACKENDS: Record<string, (folder: string, redis: string) => Row> = {
  memory: () => ({ provider: "memory" }),
  SQLite: (folder) => ({ provider: "sqlite", URI: `sqlite:///${folder}/streams.db` }),
  Redis: (_, redis) => ({ provider: "redis", URI: redis }),
};

interface Desk {
  readonly books: Books;
  readonly dead: DeadLetterQueues;
  /** Places orders that the mailer cannot handle, and waits until they are dead letters. */
  bury(ids: readonly string[]): Promise<void>;
}

function everywhere(name: string, work: (desk: Desk) => Promise<void>): void {
  for (const [backend, broker] of Object.entries(BACKENDS)) {
    Deno.test({
      name: `${backend}: ${name}`,
      ignore: backend === "Redis" && !redisAvailable,
      fn: async () => {
        const folder = await Deno.makeTempDir();
        const redis = backend === "Redis" ? await RedisServer.start() : undefined;
        const books = new Books();
        const { domain, Placed } = shop(books);
        const stop = new AbortController();
        try {
          await domain.init({
            env: "",
            config: {
              server: { health: { enabled: false } },
              databases: { default: { provider: "memory" } },
              brokers: { default: broker(folder, redis?.uri ?? "") },
            },
          });
          const running = new Engine(domain).run({ signal: stop.signal });
          const dead = domain.deadLetters;
          const depth = async () => (await dead.stats({ subscription: STREAM }))[0]?.depth ?? 0;
          try {
            await work({
              ...{ books, dead },
              bury: async (ids) => {
                const before = await depth();
                for (const id of ids) books.broken.add(id);
                for (const id of ids) await domain.publish(Placed, { id });
                await until(async () => await depth() === before + ids.length, "the dead letters");
                await until(() => ids.every((id) => books.audited.includes(id)), "the auditor");
              },
            });
          } finally {
            stop.abort();
            assertEquals(await running, 0);
          }
        } finally {
          await domain.close();
          await redis?.[Symbol.asyncDispose]();
          await Deno.remove(folder, { recursive: true });
        }
      },
    });
  }
}

/** By order, how often its letter was replayed; of all letters that there are. */
async function replays(dead: DeadLetterQueues): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let cursor: string | undefined;
  do {
    const page = await dead.list({ limit: 7, cursor });
    for (const { payload, replayCount } of page.entries) {
      const { id } = payload as { id: string };
      assert(!counts.has(id), `${id} is there twice`);
      counts.set(id, replayCount);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return counts;
}

const figures = ({ state, total, done, skipped, failures }: Operation) => ({
  ...{ state, total, done, skipped, failures },
});

everywhere(
  "replay with the bug still there, stopped half-way and twice at once loses and doubles nothing (F22)",
  async ({ books, dead, bury }) => {
    const orders = Array.from({ length: 40 }, (_, n) => `o-${n}`);
    await bury(orders);
    const canary = await dead.replay({ handler: "Mailer" }, { canary: 5 });
    assertEquals([canary.state, canary.done, canary.total], ["failed", 5, 40]);
    assert(canary.failures > 0 && canary.why?.includes("failed again"), canary.why);
    await until(async () => (await replays(dead)).size === 40, "the canaries to be back");
    const counted = await replays(dead);
    assertEquals([...counted].filter(([, count]) => count === 1).length, 5, "no more than the canaries");
    assertEquals(books.mailed, []);

    const still = ["o-1", "o-30"];
    for (const id of orders) if (!still.includes(id)) books.broken.delete(id);
    const stop = new AbortController();
    const half = await dead.replay({}, {
      signal: stop.signal,
      progress: ({ done }) => void (done === 15 && stop.abort()),
    });
    assertEquals(figures(half), { state: "cancelled", total: 40, done: 15, skipped: 0, failures: 0 });
    await until(async () => (await replays(dead)).size + books.mailed.length === 40, "those that were sent");

    const rest = (await replays(dead)).size;
    const both = await Promise.all([dead.replay({ error: "RangeError" }), dead.replay({ type: "Placed" })]);
    assertEquals(both.map(({ state }) => state), ["done", "done"]);
    // A letter that fails again lies behind what an operation looks at, unless the other began after that.
    const sent = both.reduce((sum, { done }) => sum + done, 0);
    assert(sent >= rest && sent <= rest + still.length, `${sent} of ${rest}`);
    await until(async () => (await replays(dead)).size + books.mailed.length === 40, "the rest");
    assertEquals(books.mailed.toSorted(), orders.filter((id) => !still.includes(id)).toSorted());
    assertEquals(books.audited.toSorted(), orders.toSorted(), "nobody else's work was repeated");
    const left = await replays(dead);
    assertEquals([...left.keys()].toSorted(), still.toSorted());
    assertEquals([...left.values()].every((count) => count >= 1), true);

    books.broken.clear();
    const last = await dead.replay({}, { canary: 1 });
    assertEquals(figures(last), { state: "done", total: 2, done: 2, skipped: 0, failures: 0 });
    await until(() => books.mailed.length === 40, "all");
    assertEquals((await replays(dead)).size, 0);
  },
);

everywhere("one replay of all sends a letter that fails again once", async ({ dead, bury }) => {
  const orders = Array.from({ length: 12 }, (_, n) => `o-${n}`);
  await bury(orders);
  const { state, done } = await dead.replay({ subscription: STREAM });
  assertEquals([state, done], ["done", 12]);
  await until(async () => (await replays(dead)).size === 12, "them to be back");
  assertEquals([...new Set((await replays(dead)).values())], [1]);
});

everywhere(
  "letters are got, counted, discarded, restored, exported and purged",
  async ({ books, dead, bury }) => {
    await bury(["a", "b", "c"]);
    const { entries: [newest] } = await dead.list({ limit: 1 });
    assertEquals(
      [newest?.handler, newest?.errorType, newest?.type, newest?.payload, newest?.dlqStream],
      ["Mailer", "RangeError", "Shop.Placed.v1", { id: "c" }, `${STREAM}:dlq`],
    );
    const id = newest?.id ?? "";
    assertEquals(await dead.get(id), newest);
    assertEquals([await dead.get("9-9"), await dead.get("no id")], [undefined, undefined]);
    const [figures] = await dead.stats();
    assertEquals(
      [
        figures?.depth,
        figures?.counted,
        figures?.groups.map(({ handler, errorType, count }) => [handler, errorType, count]),
      ],
      [3, 3, [["Mailer", "RangeError", 3]]],
    );
    assertEquals((await dead.discard({ id })).done, 1);
    assertEquals([(await dead.list()).entries.length, await dead.get(id)], [2, undefined]);
    assertEquals((await dead.restore({ since: new Date(Date.now() + 60_000) })).done, 0);
    assertEquals((await dead.restore({})).done, 1);
    const saved = [];
    for await (const some of dead.export({ until: new Date(Date.now() + 60_000) })) saved.push(...some);
    assertEquals(saved.length, 3);
    assertEquals((await dead.purge({ handler: "Mailer" }, { dryRun: true })).total, 3);
    assertEquals((await dead.purge({ handler: "Mailer" })).done, 3);
    const results = await dead.import([...saved, {
      id: "1-1",
      broker: "default",
      data: "{}",
      dlqStream: "billing::invoice",
    }]);
    assertEquals(results.map((result) => "id" in result), [true, true, true, false]);
    books.broken.clear();
    const replayed = await dead.replay({}, { canary: 2, rate: 500 });
    assertEquals([replayed.state, replayed.done, replayed.why], ["done", 3, undefined]);
    await until(() => books.mailed.length === 3, "the mails");
    assertEquals(books.audited.length, 3);
  },
);

everywhere("what letters failed of is counted while they come and go, with what was noted", async (desk) => {
  const { books, dead, bury } = desk;
  const groups = async (filter = {}) => (await dead.stats(filter)).flatMap((queue) => queue.groups);
  await bury(["a", "b", "c"]);
  const [group] = await groups();
  const fingerprint = group?.fingerprint ?? "";
  assertEquals([group?.count, group?.note], [3, undefined]);
  await dead.note(fingerprint, "the mailer's");
  const { entries: [newest] } = await dead.list({ limit: 1 });
  await dead.discard({ id: newest?.id ?? "" });
  assertEquals((await groups()).map(({ count, note }) => [count, note]), [[2, "the mailer's"]]);
  assertEquals(await groups({ error: "TypeError" }), []);
  assertEquals((await groups({ handler: "Mailer", type: "Placed" })).length, 1);
  await dead.restore({});
  books.broken.clear();
  assertEquals((await dead.replay({})).done, 3);
  await until(() => books.mailed.length === 3, "the mails");
  assertEquals(await groups(), []);
  await bury(["d"]);
  assertEquals((await groups()).map(({ fingerprint, note }) => [fingerprint, note]), [[
    fingerprint,
    "the mailer's",
  ]]);
  assertEquals((await groups({ since: new Date(0) })).map(({ note }) => note), ["the mailer's"]);
  await dead.note(fingerprint, "");
  assertEquals((await groups()).map(({ note }) => note), [undefined]);
  await assertRejects(() => dead.note("0123456789ab", "x"), ProteanError, "No dead letters of a group");
});

everywhere("a replay to all groups is handled by all of them again", async ({ books, dead, bury }) => {
  await bury(["a"]);
  books.broken.clear();
  assertEquals((await dead.replay({}, { toAllGroups: true })).done, 1);
  await until(() => books.mailed.length === 1 && books.audited.length === 2, "both");
  assertEquals((await dead.list()).entries, []);
});

everywhere("what is no filter changes nothing", async ({ dead, bury }) => {
  await bury(["a"]);
  const wrong = [
    { subscripton: STREAM },
    { id: undefined },
    { handler: "" },
    { since: new Date(NaN) },
    { until: "yesterday" },
  ] as unknown as Row[];
  for (const filter of wrong) {
    for (const work of ["purge", "replay", "discard", "restore", "stats", "list"] as const) {
      await assertRejects(() => dead[work](filter), IncorrectUsageError);
    }
  }
  await assertRejects(() => dead.purge({ handler: "Mialer" }), ProteanError, "Did you mean 'Mailer'?");
  await assertRejects(() => dead.replay({}, { canary: 0 }), IncorrectUsageError, "canary");
  await assertRejects(() => dead.replay({}, { rate: -1 }), IncorrectUsageError, "rate");
  await assertRejects(() => dead.purge({}, { canary: 1 }), IncorrectUsageError, "canary");
  assertEquals((await dead.list()).entries.length, 1);
});
