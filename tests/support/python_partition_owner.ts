/**
 * What a worker of Python Protean 0.18.0 does as the owner of keys (wire 2.11): its scripts, word for word.
 *
 * @module
 */
import type { Redis } from "ioredis";

const ACQUIRE = `
if redis.call('GET', KEYS[1]) then return nil end
local gen = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. gen, 'PX', tonumber(ARGV[2]))
return gen
`;
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
    return 1
end
return 0
`;
const READ = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('FENCED') end
return redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[3],
                  'COUNT', tonumber(ARGV[4]), 'STREAMS', KEYS[2], ARGV[5])
`;
const ACK = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
return redis.call('XACK', KEYS[2], ARGV[2], ARGV[3])
`;

/** An entry of a key: its id and the text of its message. */
export type KeyEntry = readonly [id: string, text: string];

/** One key of a category, as Python asks for it. */
export class PythonPartitionOwner {
  #fence = "";

  constructor(
    readonly client: Redis,
    readonly category: string,
    readonly group: string,
    readonly key: string,
    readonly owner = "Events-host-1-abcdef",
  ) {}

  /** As its outbox does, for a handler with `sequential_by`. */
  async publish(...texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      await this.client.sadd(`${this.category}:__partitions__`, this.key);
      await this.client.xadd(this.#stream, "*", "data", text);
    }
  }

  /** False: somebody else owns the key. */
  async acquire(ttlMs = 15_000): Promise<boolean> {
    const keys = [this.#lease, `${this.group}:${this.key}:__generation__`];
    const generation = await this.client.eval(ACQUIRE, 2, ...keys, this.owner, ttlMs);
    if (generation === null) return false;
    this.#fence = `${this.owner}:${generation}`;
    await this.client.xgroup("CREATE", this.#stream, this.group, "0", "MKSTREAM").catch(() => {});
    await this.client.call("XAUTOCLAIM", [this.#stream, this.group, this.#fence, 0, "0-0", "COUNT", 100]);
    return true;
  }

  async release(): Promise<boolean> {
    return await this.client.eval(RELEASE, 1, this.#lease, this.#fence) === 1;
  }

  /** Its own pending entry, else the next one. Rejects with `FENCED` where the key is another's. */
  async read(): Promise<KeyEntry | undefined> {
    for (const from of ["0", ">"]) {
      const reply = await this.client.eval(READ, 2, this.#lease, this.#stream, ...[
        ...[this.#fence, this.group, this.#fence, 1, from],
      ]) as [string, [string, string[]][]][] | null;
      const [id, fields] = reply?.[0]?.[1][0] ?? [];
      if (id !== undefined && fields) return [id, fields[1] ?? ""];
    }
    return undefined;
  }

  /** 1: acknowledged; -1: the key is another's. */
  async ack(id: string): Promise<number> {
    return Number(
      await this.client.eval(ACK, 2, this.#lease, this.#stream, this.#fence, this.group, id),
    );
  }

  get #stream(): string {
    return `${this.category}:${this.key}`;
  }

  get #lease(): string {
    return `${this.group}:${this.key}:__lease__`;
  }
}
