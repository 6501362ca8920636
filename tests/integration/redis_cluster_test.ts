/**
 * A real Cluster that changes under load: a slot is migrated, a master is lost (issue 14, point 2).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Command } from "ioredis";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { taggedKey } from "../../lib/adapters/redis/keys.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { GroupMissingError, RefusedError, UnavailableError } from "../../lib/errors.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer, redisTest } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

function optionsOf(URI: string, settings: Record<string, unknown> = {}) {
  return {
    ...{ name: "default", domain: "shop", folder: "/", clock: systemClock },
    settings: { URI, socket_timeout: 0.5, socket_connect_timeout: 1, ...settings },
  };
}

const STREAMS = ["shop::order", "shop::item", "shop::cart", "shop::user", "billing::bill", "billing::till"];

/** Publishes to and reads from all streams, each by a consumer of its own, until it is stopped. */
class Load {
  readonly confirmed = new Map<string, string[]>(STREAMS.map((stream) => [stream, []]));
  readonly seen = new Map<string, string[]>(STREAMS.map((stream) => [stream, []]));
  failures = 0;
  readonly #publishing = new AbortController();
  readonly #reading = new AbortController();
  readonly #work: Promise<unknown>[] = [];

  constructor(private readonly broker: RedisBroker) {
    for (const stream of STREAMS) this.#work.push(this.#publish(stream), this.#read(stream));
  }

  get count(): number {
    return [...this.seen.values()].reduce((sum, texts) => sum + texts.length, 0);
  }

  /** Ends it when everything confirmed was seen; returns what was not, by stream. */
  async stop(missing = 0): Promise<readonly string[]> {
    this.#publishing.abort();
    const lost = () =>
      STREAMS.flatMap((stream) => {
        const seen = new Set(this.seen.get(stream));
        return (this.confirmed.get(stream) ?? []).filter((text) => !seen.has(text)).map((text) =>
          `${stream} ${text}`
        );
      });
    await until(() => lost().length <= missing, "everything confirmed to be read", { within: 20_000 });
    this.#reading.abort();
    await Promise.all(this.#work);
    return lost();
  }

  async #publish(stream: string): Promise<void> {
    for (let n = 0; !this.#publishing.signal.aborted; n++) {
      await this.#failing(async () => {
        const [result] = await this.broker.publish([{ stream, data: String(n) }]);
        if (result && "error" in result) throw result.error;
        this.confirmed.get(stream)?.push(String(n));
      });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async #read(stream: string): Promise<void> {
    const group = this.broker.group({ stream, group: "g", consumer: "c" });
    let ack: string[] = [];
    while (!this.#reading.signal.aborted) {
      await this.#failing(async () => {
        await group.ensure();
        const entries = await group.read({ count: 100, blockMs: 300, ack });
        ack = entries.map(({ id }) => id);
        this.seen.get(stream)?.push(...entries.flatMap(({ data }) => data ?? []));
      });
    }
    await group.close();
  }

  async #failing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // A reader that blocks on a stream which leaves its node is told that there is none.
      assert(error instanceof UnavailableError || error instanceof GroupMissingError, `${error}`);
      this.failures++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

for (const max_connections of [50, 4]) {
  redisTest(
    `slots are migrated under load, at most ${max_connections} connections: lost 0, order kept`,
    async (t) => {
      await using cluster = await RedisCluster.start();
      const broker = new RedisBroker(optionsOf(cluster.uri, { max_connections }));
      const load = new Load(broker);
      await until(() => load.count > 300, "messages before the migration");
      const { masters } = cluster;
      for (const stream of STREAMS.slice(0, 3)) {
        const slot = new Command("get", [taggedKey(stream)]).getSlot();
        const from = await cluster.ownerOf(slot);
        const to = masters[(masters.indexOf(from) + 1) % masters.length];
        if (!to) throw new Error("no other master");
        // The slot stays half moved for a while, in which scripts of several keys are told to try again.
        await cluster.moveSlot(slot, to, () => new Promise((resolve) => setTimeout(resolve, 100)));
      }
      const before = load.count;
      await until(() => load.count > before + 300, "messages after the migration", { within: 5000 });
      assertEquals(await load.stop(), []);
      await broker.close();
      for (const [stream, texts] of load.seen) {
        assertEquals(
          texts,
          [...new Set(texts)].sort((a, b) => Number(a) - Number(b)),
          `the order of ${stream}`,
        );
      }
      await t.step(`${load.count} messages, ${load.failures} failures`, () => {});
    },
  );
}

redisTest(
  "a master of a Cluster is killed under load: its replica takes over, the others go on",
  async (t) => {
    await using cluster = await RedisCluster.start({ replicas: true });
    const broker = new RedisBroker(optionsOf(cluster.uri));
    const load = new Load(broker);
    await until(() => load.count > 300, "messages before the failover");
    const slot = new Command("get", [taggedKey("shop::order")]).getSlot();
    const victim = await cluster.ownerOf(slot);
    const others = STREAMS.filter((stream) => stream !== "shop::order");
    await victim.kill();
    const began = performance.now();
    const orders = load.seen.get("shop::order") ?? [];
    const before = orders.length;
    await until(() => orders.length > before + 50, "messages of the master that was killed", {
      within: 20_000,
    });
    const again = performance.now() - began;
    const lost = await load.stop(20);
    await broker.close();
    await t.step(
      `${load.count} messages, ${lost.length} lost by Redis, ${load.failures} failures, work again after ${
        Math.round(again)
      } ms`,
      () => {},
    );
    assert(others.length > 0 && again < 15_000, `work went on only after ${again} ms`);
  },
);

redisTest(
  "a Cluster named as a single server, and a single server named as a Cluster, are refused",
  async () => {
    await using server = await RedisServer.start();
    const alone = new RedisCache(optionsOf(`redis+cluster://127.0.0.1:${server.port}`));
    const no = await assertRejects(() => alone.get("k"), RefusedError, "is no Cluster");
    assertEquals(no.code, "REDIS_CLUSTER");
    await alone.close();
    await using cluster = await RedisCluster.start();
    const cache = new RedisCache(optionsOf(`redis://127.0.0.1:${cluster.masters[0]?.port}`));
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    const outcomes = await Promise.allSettled(keys.map((key) => cache.get(key)));
    const refused = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason] : []);
    assert(refused.length > 0);
    for (const error of refused) {
      assert(error instanceof RefusedError && error.code === "REDIS_CLUSTER", `${error}`);
      assert(error.message.includes("begin 'caches.default.URI' with redis+cluster://"), error.message);
    }
    await cache.close();
  },
);

redisTest("no node of a Cluster answers: unavailable, and there again once one does", async () => {
  await using cluster = await RedisCluster.start();
  const cache = new RedisCache(optionsOf(cluster.uri));
  await cache.set("k", "v");
  for (const server of cluster.masters) server.freeze();
  await assertRejects(() => cache.get("k"), UnavailableError);
  await assertRejects(() => cache.ping(AbortSignal.timeout(300)));
  for (const server of cluster.masters) server.thaw();
  await until(async () => await cache.get("k") === "v", "the Cluster's answer", { within: 10_000 });
  await cache.close();
});
