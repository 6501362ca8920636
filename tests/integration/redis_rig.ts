/**
 * What the integration tests of the Redis adapter work with: a server, brokers on it, and time limits on
 * everything.
 *
 * @module
 */
import { Redis } from "ioredis";
import type { StreamEntry, StreamGroup } from "../../lib/adapters/ports.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { type Clock, systemClock } from "../../lib/async/clock.ts";
import { RedisServer, type RedisServerOptions } from "../support/redis_server.ts";

export const STREAM = "shop::order";
export const GROUP = "shop.OrderEvents";

/** Settings that make a test of a timeout quick. */
export const IMPATIENT = { socket_timeout: 0.2, socket_connect_timeout: 0.3 };

/** One server and everything that was opened on it; all of it is gone at the end of its block. */
export class RedisRig implements AsyncDisposable {
  readonly server: RedisServer;
  readonly #brokers: RedisBroker[] = [];
  readonly #clients: Redis[] = [];

  private constructor(server: RedisServer) {
    this.server = server;
  }

  static async open(options: RedisServerOptions = {}): Promise<RedisRig> {
    return new RedisRig(await RedisServer.start(options));
  }

  /** A broker, opened; `settings` are those of `[brokers.default]`. */
  async broker(settings: Record<string, unknown> = {}, clock: Clock = systemClock): Promise<RedisBroker> {
    const broker = new RedisBroker({
      name: "default",
      domain: "shop",
      settings: { URI: this.server.uri, ...settings },
      folder: Deno.cwd(),
      clock,
    });
    this.#brokers.push(broker);
    await broker.open();
    return broker;
  }

  /** A bare client, for what no adapter does. */
  client(options: { readonly password?: string } = {}): Redis {
    const client = new Redis({
      port: this.server.port,
      retryStrategy: null,
      disableClientInfo: true,
      ...options,
    });
    client.on("error", () => {});
    this.#clients.push(client);
    return client;
  }

  /** Waits until so many reads block on the server. */
  async blocked(reads: number): Promise<void> {
    const client = this.client();
    await until(
      async () => (await client.info("clients")).includes(`blocked_clients:${reads}\r`),
      `${reads} reads block`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const broker of this.#brokers) await broker.close();
    for (const client of this.#clients) client.stream?.destroy();
    await this.server[Symbol.asyncDispose]();
  }
}

/** A consumer of `GROUP` on `STREAM`, its group made. */
export async function consumerOf(broker: RedisBroker, consumer: string, group = GROUP): Promise<StreamGroup> {
  const made = broker.group({ stream: STREAM, group, consumer });
  await made.ensure();
  return made;
}

/** Publishes numbered texts to `STREAM`; returns the ids. */
export async function publish(broker: RedisBroker, ...texts: readonly string[]): Promise<readonly string[]> {
  const results = await broker.publish(texts.map((data) => ({ stream: STREAM, data })));
  return results.map((result) => {
    if ("error" in result) throw result.error;
    return result.id;
  });
}

export function textsOf(entries: readonly StreamEntry[]): readonly (string | undefined)[] {
  return entries.map(({ data }) => data);
}

/** Waits until `condition` holds; rejects after `ms`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms = 10_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`Not within ${ms} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Tries again, as a subscription does, until `work` resolves; rejects after `ms`. */
export async function eventually<T>(work: () => Promise<T>, ms = 10_000): Promise<T> {
  const end = performance.now() + ms;
  while (true) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
