/**
 * The workers on one Redis: a hash for each, with a time to live, and an index of them by the server's time.
 *
 * @module
 */
import { type Announcement, byId, MOST_PEERS, type Peer, type Peers } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { KeyOf } from "./keys.ts";
import { Script } from "./scripts.ts";

const INDEX = "protean:workers";
const WORKER = "protean:worker:";
/** Longer than any hash lives: who is gone leaves the index then. */
const INDEX_MS = 300_000;

// Keys: the hash, the index. Arguments: id, time to live in ms, that of the index, fields and values.
const announceWorker = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('DEL', KEYS[1])
for at = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call('HSET', KEYS[1], ' seen_at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`);

export interface RedisPeersOptions {
  readonly redis: () => Endpoint;
  readonly keyOf: KeyOf;
}

export class RedisPeers implements Peers {
  readonly #redis: () => Endpoint;
  readonly #keyOf: KeyOf;

  constructor({ redis, keyOf }: RedisPeersOptions) {
    this.#redis = redis;
    this.#keyOf = keyOf;
  }

  async announce({ id, fields }: Announcement, ttlMs: number): Promise<void> {
    const keys = [this.#keyOf(WORKER + id), this.#keyOf(INDEX)];
    const args = [id, ttlMs, INDEX_MS, ...Object.entries(fields).flat()];
    await this.#redis().run((client) => announceWorker.run(client, keys, args), {
      key: WORKER + id,
      repeatable: true,
    });
  }

  async withdraw(id: string): Promise<void> {
    // What it leaves in the index goes with the next announcements.
    await this.#redis().run((client) => client.del(this.#keyOf(WORKER + id)), {
      ...{ key: WORKER + id, repeatable: true },
    });
  }

  async list(): Promise<readonly Peer[]> {
    const endpoint = this.#redis();
    const key = INDEX;
    const latest = await endpoint.run(
      (client) => client.zrevrange(this.#keyOf(INDEX), 0, MOST_PEERS - 1),
      { key, repeatable: true },
    );
    if (latest.length === 0) return [];
    const [time, hashes] = await endpoint.run(
      (client) =>
        Promise.all([
          client.time(),
          Promise.all(latest.map((id) => client.hgetall(this.#keyOf(WORKER + id)))),
        ]),
      { key, repeatable: true },
    );
    const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
    return latest.flatMap((id, at): Peer[] => {
      const { " seen_at": seenAt, ...fields } = hashes[at] ?? {};
      return seenAt === undefined ? [] : [{ id, fields, ageMs: Math.max(0, now - Number(seenAt)) }];
    }).sort(byId);
  }
}
