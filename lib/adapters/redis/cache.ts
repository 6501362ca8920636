/**
 * Redis as a cache: keys and values of wire 5, shared with Python.
 *
 * @module
 */
import { LONGEST_WAIT_MS } from "../../async/clock.ts";
import { UnavailableError } from "../../errors.ts";
import { cacheTtl } from "../cache_ttl.ts";
import { compareCodePoints } from "../../message/json_format.ts";
import { BaseCache, type ConnectionNeed, type ServerFacts } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import { openEndpoint } from "./cluster.ts";
import { plainKey } from "./keys.ts";
import { connectionNeed, serverFacts } from "./server_facts.ts";
import { checkFiles, readSettings } from "./settings.ts";

/** Keys that one SCAN step looks at: few enough that nobody waits for it. */
const SCAN_COUNT = 500;

export class RedisCache extends BaseCache {
  #endpoint: Endpoint | undefined;
  #ttlMs = 0;

  /**
   * Reads the settings; the first command connects. Throws `ConfigurationError` for those that cannot be
   * right.
   */
  override async open(): Promise<void> {
    await checkFiles(this.#redis.server.settings);
  }

  override async ping(signal: AbortSignal): Promise<void> {
    await this.#redis.ping(signal);
  }

  override connectionNeed(): ConnectionNeed {
    return connectionNeed(this.#redis);
  }

  override async serverFacts(signal: AbortSignal): Promise<ServerFacts | undefined> {
    return await serverFacts(this.#redis, signal);
  }

  override async get(key: string): Promise<string | undefined> {
    return await this.#redis.run((client) => client.get(key), { key, repeatable: true }) ?? undefined;
  }

  override async getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    if (keys.length === 0) return [];
    const values: (string | undefined)[] = [];
    await Promise.all(
      this.#redis.together(keys.map(plainKey)).map(async (places) => {
        const some = places.map((at) => keys[at] ?? "");
        const found = await this.#redis.run((client) => client.mget(some), { repeatable: true });
        for (const [nth, at] of places.entries()) values[at] = found[nth] ?? undefined;
      }),
    );
    return values;
  }

  override async set(key: string, value: string, ttlMs?: number): Promise<void> {
    const redis = this.#redis;
    const ms = ttlMs ?? this.#ttlMs;
    // Redis refuses what does not fit into its own times.
    const kept = Math.max(1, Math.floor(Math.min(ms, LONGEST_WAIT_MS)));
    await redis.run<unknown>(
      (client) => ms === Infinity ? client.set(key, value) : client.psetex(key, kept, value),
      { key, repeatable: true },
    );
  }

  override async delete(key: string): Promise<boolean> {
    return await this.#redis.run((client) => client.del(key), { key }) === 1;
  }

  override async ttl(key: string): Promise<number | undefined> {
    const ms = await this.#redis.run((client) => client.pttl(key), { key, repeatable: true });
    // Redis: -2 no such key, -1 never expires.
    return ms === -2 ? undefined : ms === -1 ? Infinity : ms;
  }

  /**
   * Walks over the whole key space in small steps, so it takes its time on a large one; never holds up the
   * server.
   */
  override async keys(
    prefix: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const { after, limit } = options;
    const match = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
    const found = new Set<string>();
    for (const server of await this.#redis.parts()) {
      let cursor = "0";
      do {
        const [next, keys] = await server.run(
          (client) => client.scan(cursor, "MATCH", match, "COUNT", SCAN_COUNT, "TYPE", "string"),
          { repeatable: true },
        );
        for (const key of keys) {
          if (after === undefined || compareCodePoints(key, after) > 0) found.add(key);
        }
        cursor = next;
      } while (cursor !== "0");
    }
    return [...found].sort(compareCodePoints).slice(0, limit);
  }

  override async close(): Promise<void> {
    await this.#endpoint?.close();
  }

  get #redis(): Endpoint {
    if (this.#endpoint) return this.#endpoint;
    const settings = readSettings(this.options, "caches", UnavailableError);
    this.#ttlMs = cacheTtl(this.options);
    const { clock, shared } = this.options;
    return this.#endpoint = openEndpoint(settings, clock, shared);
  }
}
