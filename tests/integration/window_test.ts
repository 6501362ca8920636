/** `subscriptions replay`: a window given to a handler once more, on Redis and PostgreSQL and on SQLite. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Engine, type Row } from "@protean/server";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { replayWindow, type WindowOptions } from "../../lib/operations/window.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { encodeEvent } from "../support/encode_message.ts";
import { until } from "../support/until.ts";
import { begin } from "./operations_processes.ts";
import { LANE, openShop, QUEUE, STREAM } from "./operations_child.ts";

const ALL = {
  handler: "Mailer",
  from: new Date("2020-01-01T00:00:00Z"),
  to: new Date("2100-01-01T00:00:00Z"),
};

interface Desk extends Awaited<ReturnType<typeof openShop>> {
  readonly mailed: string[];
  readonly broken: Set<string>;
  readonly brokers: Row;
  window(options?: Partial<WindowOptions>): ReturnType<typeof replayWindow>;
  /** Waits until nothing is in the lane. */
  drained(): Promise<void>;
}

interface Place {
  readonly brokers: Row;
  readonly databases: Row;
  readonly eventStore?: Row;
}

async function withDesk(place: Place, work: (desk: Desk) => Promise<void>): Promise<void> {
  const mailed: string[] = [];
  const broken = new Set<string>();
  const shop = await openShop(place.brokers, { ...place, mailed, broken });
  for (const provider of runtimeOf(shop.domain).providers.values()) await provider.setup("all", []);
  const server = await openShop(place.brokers, { ...place, mailed, broken });
  const stop = new AbortController();
  const running = new Engine(server.domain).run({ signal: stop.signal });
  try {
    await work({
      ...{ ...shop, mailed, broken, brokers: place.brokers },
      window: (options = {}) => replayWindow(runtimeOf(shop.domain), { ...ALL, ...options }),
      drained: async () => void await until(async () => await shop.broker.length(LANE) === 0, "the lane"),
    });
  } finally {
    stop.abort();
    assertEquals(await running, 0);
    await server.domain.close();
    await shop.domain.close();
  }
}

function everywhere(name: string, work: (desk: Desk) => Promise<void>): void {
  Deno.test(`SQLite: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await withDesk({
        brokers: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` },
        databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } },
        eventStore: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` },
      }, work);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
  Deno.test({
    name: `Redis and PostgreSQL: ${name}`,
    ignore: !redisAvailable || !postgresAvailable,
    fn: async () => {
      await using redis = await RedisServer.start();
      await using postgres = await PostgresServer.start();
      await withDesk({
        brokers: { provider: "redis", URI: redis.uri },
        databases: { default: { provider: "postgresql", database_uri: postgres.uri() } },
      }, work);
    },
  });
}

everywhere("keep handles only what never was, ignore handles everything again, each time", async (desk) => {
  const { domain, Placed, Shipped, mailed, broken, window, drained, broker } = desk;
  broken.add("o-3");
  const orders = Array.from({ length: 8 }, (_, n) => `o-${n}`);
  for (const id of orders) await domain.publish(Placed, { id });
  await domain.publish(Shipped, { id: "o-1" });
  await until(async () => mailed.length === 8 && await broker.length(QUEUE) === 1, "the mails");
  await domain.deadLetters.purge({});
  broken.clear();

  assertEquals([(await window({ dryRun: true })).total, mailed.length], [9, 8]);
  const kept = await window();
  assertEquals([kept.kind, kept.state, kept.total, kept.done], ["window", "done", 9, 9]);
  await until(() => mailed.length === 9, "the one that was never handled");
  await drained();
  assertEquals(mailed.at(-1), "o-3");

  for (const times of [2, 3]) {
    assertEquals((await window({ marks: "ignore" })).done, 9);
    await drained();
    await until(() => mailed.length === times * 9, "everything once more");
    assertEquals(mailed.slice(-9).toSorted(), [...orders, "o-1!"].toSorted());
  }
  await window();
  await drained();
  assertEquals(mailed.length, 27);

  assertEquals((await window({ marks: "ignore", type: "Shipped" })).done, 1);
  assertEquals((await window({ marks: "ignore", type: "Shop.Placed.v1", key: "o-2" })).done, 1);
  assertEquals((await window({ marks: "ignore", to: new Date("2021-01-01T00:00:00Z") })).done, 0);
  await until(() => mailed.length === 29, "those that are meant");
  assertEquals(mailed.slice(-2).toSorted(), ["o-1!", "o-2"]);
});

everywhere(
  "what fails in a replayed window is a dead letter, and its replay ignores the marks too",
  async (desk) => {
    const { domain, Placed, mailed, broken, window, broker } = desk;
    await domain.publish(Placed, { id: "a" });
    await until(() => mailed.length === 1, "the mail");
    broken.add("a");
    await window({ marks: "ignore" });
    await until(async () => await broker.length(QUEUE) === 1, "the dead letter");
    broken.clear();
    await domain.deadLetters.replay({});
    await until(() => mailed.length === 2, "the mail once more");
  },
);

everywhere(
  "what cannot be meant is refused, and changes nothing",
  async ({ domain, Placed, mailed, window, broker }) => {
    await domain.publish(Placed, { id: "a" });
    await until(() => mailed.length === 1, "the mail");
    const wrong: readonly [Partial<WindowOptions>, string][] = [
      [{ handler: "Mialer" }, "Did you mean 'Mailer'?"],
      [{ handler: "Logger" }, "is not idempotent"],
      [{ from: ALL.to, to: ALL.from }, "must be before"],
      [{ from: new Date(NaN) }, "'from' of a window takes a valid Date"],
      [{ rate: 0 }, "'rate' takes a number above 0"],
      [{ marks: "all" as "keep" }, "'marks' takes keep or ignore"],
    ];
    for (const [options, message] of wrong) await assertRejects(() => window(options), Error, message);
    assertEquals([await broker.length(LANE), await domain.operations.list()], [0, []]);
    assertEquals((await window({ handler: "Logger", marks: "ignore" })).done, 1);
  },
);

Deno.test("what the stream no longer holds comes from the event store", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` };
    await withDesk({
      brokers: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` },
      databases: { default: file },
      eventStore: file,
    }, async ({ domain, Placed, mailed, window, broker }) => {
      const began = new Date();
      for (const id of ["a", "b", "c"]) await domain.publish(Placed, { id });
      await until(() => mailed.length === 3, "the mails");
      await broker.deadLetters.trimBefore(STREAM, Date.now() + 1_000, 9);
      assertEquals(await broker.length(STREAM), 0);
      assertEquals((await window({ from: began, marks: "ignore" })).done, 3);
      await until(() => mailed.length === 6, "all of them once more");
      assertEquals(mailed.slice(3).toSorted(), ["a", "b", "c"]);
      assertEquals((await window({ from: began })).done, 3);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const backend of ["SQLite", "Redis"]) {
  Deno.test({
    name: `${backend}: a window whose process was killed is gone on with, and sends each message once`,
    ignore: backend === "Redis" && !redisAvailable,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      const redis = backend === "Redis" ? await RedisServer.start() : undefined;
      const brokers = redis
        ? { provider: "redis", URI: redis.uri }
        : { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` };
      const { domain, broker } = await openShop(brokers);
      try {
        const ids = Array.from({ length: 120 }, (_, n) => `o-${n}`);
        await broker.publish(ids.map((id) => ({
          stream: STREAM,
          data: encodeEvent({ type: "Shop.Placed.v1", category: STREAM, id, n: 0, time: 0, data: { id } }),
        })));
        const group = broker.group({ stream: STREAM, group: "shop.Mailer", consumer: "c" });
        await group.ensure();
        await group.ack((await group.read({ count: 200 })).map(({ id }) => id));
        await group.close();
        const child = begin([JSON.stringify(brokers), "window", JSON.stringify(ALL), '{"rate":60}']);
        await until(() => child.said.length > 0, "the first messages");
        child.process.kill("SIGKILL");
        await child.ended;
        const sent = await broker.length(LANE);
        assert(sent > 0 && sent < 120, `${sent} were sent`);
        const [left] = await domain.operations.list();
        assertEquals([left?.state, left?.total], ["running", 120]);
        await domain.operations.resume(left?.id ?? "");
        const [over] = await domain.operations.list();
        assertEquals([over?.state, over?.done, await broker.length(LANE)], ["done", 120, 120]);
      } finally {
        await domain.close();
        await redis?.[Symbol.asyncDispose]();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
