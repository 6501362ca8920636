/** Priority lanes and subscribers in a running engine, on every broker (S59, PIPE-12, wire 10.6). */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError, type Context, Domain, Engine, on, type Row } from "@protean/server";
import { Redis } from "ioredis";
import { z } from "zod";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { DeadLetterQueues } from "../../lib/dlq/queues.ts";
import { collectGroups } from "../../lib/status/groups.ts";
import { collectStatus } from "../../lib/status/collect.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const SERVER: Row = { health: { enabled: false }, priority_lanes: { enabled: true } };

/** Orders that are placed by commands of any priority; payments of another system. */
function desk(broker = "default") {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const Place = domain.command("Place", { partOf: Order, schema });
  const seen: string[] = [];
  domain.commandHandler("Orders", {
    partOf: Order,
    handles: [on(Place, async ({ id }, ctx) => {
      const order = Order.create({ id });
      order.raise(Placed, { id });
      await ctx.repository(Order).add(order);
    })],
  });
  domain.eventHandler("Notes", { partOf: Order, handles: [on(Placed, ({ id }) => void seen.push(id))] });
  domain.subscriber("Payments", {
    ...{ broker, stream: "payments", idempotent: true },
    subscriptionConfig: { maxRetries: 2, retryDelaySeconds: 0 },
    handle: async (payload: Row, ctx: Context) => {
      if (payload["id"] === "bad") throw new Error("refused");
      await ctx.process(Place, { id: String(payload["id"]) });
    },
  });
  return { domain, Place, seen };
}

/** Runs `work` while the engine of `domain` runs. */
async function whileRunning(domain: Domain, config: Row, work: () => Promise<void>): Promise<void> {
  await domain.init({ config, env: "" });
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  try {
    await work();
  } finally {
    stop.abort();
    assertEquals(await running, 0);
  }
}

interface Backend {
  readonly name: string;
  readonly config: (folder: string, redis: string) => Row;
}

const redisUrl = (uri: string, db: number) => uri.replace(/\/\d*$/, "") + `/${db}`;

const BACKENDS: readonly Backend[] = [
  {
    name: "memory",
    config: () => ({
      databases: { default: { provider: "memory" } },
      brokers: { default: { provider: "memory" }, bank: { provider: "memory" } },
    }),
  },
  {
    name: "SQLite",
    config: (folder) => ({
      databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } },
      brokers: {
        default: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` },
        bank: { provider: "sqlite", URI: `sqlite:///${folder}/bank.db` },
      },
    }),
  },
  {
    name: "Redis",
    config: (_folder, redis) => ({
      databases: { default: { provider: "memory" } },
      brokers: {
        default: { provider: "redis", URI: redisUrl(redis, 0) },
        bank: { provider: "redis", URI: redisUrl(redis, 1) },
      },
    }),
  },
];

for (const { name, config } of BACKENDS) {
  Deno.test({
    name: `${name}: lanes and a subscriber on a broker of its own, from the outbox to the dead letters`,
    ignore: name === "Redis" && !redisAvailable,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      const redis = name === "Redis" ? await RedisServer.start() : undefined;
      try {
        const { domain, Place, seen } = desk("bank");
        await whileRunning(domain, { ...config(folder, redis?.uri ?? ""), server: SERVER }, async () => {
          const runtime = runtimeOf(domain);
          for (const [id, priority] of [["a", -1], ["b", 0], ["c", -100], ["d", 50]] as const) {
            await domain.process(Place, { id }, { asynchronous: true, priority });
          }
          await until(() => seen.length === 4, "the orders");
          assertEquals(seen.toSorted(), ["a", "b", "c", "d"]);
          const length = (stream: string) => runtime.brokers.get("default")?.length(stream);
          // The events of what could wait can wait, too.
          for (const stream of ["shop::order:command", "shop::order"]) {
            assertEquals([await length(stream), await length(`${stream}:backfill`)], [2, 2], stream);
          }
          const bank = runtime.brokers.get("bank");
          await bank?.publish(
            ["e", "bad", "f"].map((id) => ({ stream: "payments", data: JSON.stringify({ id }) })),
          );
          await bank?.publish([{ stream: "payments", data: "no message" }]);
          await until(() => seen.length === 6, "what is paid");
          const queues = DeadLetterQueues.of(runtime);
          await until(async () => await queues.count({ subscription: "payments" }) === 2, "the dead letters");
          const { entries } = await queues.list();
          assertEquals(
            entries.map(({ broker, letter }) => [broker, letter.handler, letter.errorType]).toSorted(),
            [
              ["bank", "Payments", "DeserializationError"],
              ["bank", "Payments", "Error"],
            ],
          );
          assertEquals(
            (await collectGroups(runtime)).map(({ stream, handler_name }) => `${stream} ${handler_name}`),
            [
              ...["shop::order Notes", "shop::order:backfill Notes", "shop::order:command Orders"],
              ...["shop::order:command:backfill Orders", "payments Payments"],
            ],
          );
          await until(
            async () => (await collectStatus(runtime)).every(({ status }) => status === "ok"),
            "quiet",
          );
        });
      } finally {
        await redis?.stop();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "Redis: an entry without the field 'data', and streams of the wrong type, as a subscriber meets them",
  ignore: !redisAvailable,
  fn: async () => {
    const redis = await RedisServer.start();
    const client = new Redis(redis.port);
    try {
      const config = {
        databases: { default: { provider: "memory" } },
        brokers: { default: { provider: "redis", URI: redis.uri } },
        server: { health: { enabled: false } },
      };
      const { domain, seen } = desk();
      await client.xadd("payments", "*", "amount", "5");
      await client.xadd("payments", "*", "data", '{"id":"a"}', "more", "fields");
      await whileRunning(domain, config, async () => {
        await until(() => seen.length === 1, "the payment");
        const queues = DeadLetterQueues.of(runtimeOf(domain));
        await until(async () => await queues.count({}) === 1, "the dead letter");
        const { entries: [letter] } = await queues.list();
        assertStringIncludes(letter?.letter.failureReason ?? "", "no field 'data'");

        // Somebody puts something else in its place while it runs: told by readiness, and read on afterwards.
        await client.multi().del("payments").set("payments", "text").exec();
        await client.del("payments");
        await client.xadd("payments", "*", "data", '{"id":"b"}');
        await until(() => seen.length === 2, "the payment after the mistake");
      });
      await client.set("payments", "text");
      await domain.init({ config, env: "" });
      const error = await assertRejects(() => new Engine(domain).run(), ConfigurationError);
      assertStringIncludes(error.message, "'payments'");
    } finally {
      client.disconnect();
      await redis.stop();
    }
  },
});

Deno.test("a suffix of the backfill lane that streams have for something else is refused", async () => {
  for (const suffix of ["dlq", "command", "replay", "a:b", "a b"]) {
    const { domain } = desk();
    const [memory] = BACKENDS;
    const config = memory?.config("", "");
    const server = { priority_lanes: { enabled: true, backfill_suffix: suffix } };
    const error = await assertRejects(
      () => domain.init({ config: { ...config, server }, env: "" }),
      ConfigurationError,
    );
    assert(error.message.includes(`current value is '${suffix}'`), error.message);
  }
});
