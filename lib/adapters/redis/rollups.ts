/**
 * Rollups in Redis: the hash `protean:rollup:<subscription>:<minute>`, gone after 26 hours. Only commands
 * of `docs/reference/redis-acl.md`.
 *
 * @module
 */
import {
  LARGEST,
  type Rollup,
  ROLLUP_BUCKETS,
  ROLLUP_FIGURES,
  ROLLUP_KEPT_MS,
  rollupFigures,
  type Rollups,
} from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { KeyOf, StreamKey } from "./keys.ts";
import { Script } from "./scripts.ts";

/** Hashes that one script writes, and that are read together. */
const AT_ONCE = 20;
const READ_AT_ONCE = 200;

// Keys: the hashes. Arguments: time to live in ms, then for each hash the number of its fields, and for each
// field name, value, and '1' where the largest is kept.
const add = new Script(`
local at = 2
for _, key in ipairs(KEYS) do
  local fields = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, fields do
    local before = tonumber(redis.call('HGET', key, ARGV[at]) or '0')
    local value = tonumber(ARGV[at + 1])
    if ARGV[at + 2] == '1' then value = math.max(before, value) else value = before + value end
    redis.call('HSET', key, ARGV[at], string.format('%.0f', value))
    at = at + 3
  end
  redis.call('PEXPIRE', key, ARGV[1])
end
return 1
`);

export class RedisRollups implements Rollups {
  readonly #endpoint: Endpoint;
  readonly #keyOf: KeyOf;

  constructor(endpoint: Endpoint, keyOf: KeyOf) {
    this.#endpoint = endpoint;
    this.#keyOf = keyOf;
  }

  async add(rollups: readonly Rollup[]): Promise<void> {
    for (let at = 0; at < rollups.length; at += AT_ONCE) {
      const some = rollups.slice(at, at + AT_ONCE);
      const keys = some.map(({ subscription, minute }) => this.#key(subscription, minute));
      const args = some.flatMap((rollup) => {
        const fields = fieldsOf(rollup);
        return [fields.length / 3, ...fields];
      });
      await this.#endpoint.run((client) => add.run(client, keys, [ROLLUP_KEPT_MS, ...args]), {
        key: "protean:rollup",
      });
    }
  }

  async read(subscription: string, from: number, to: number): Promise<readonly Rollup[]> {
    const found: Rollup[] = [];
    for (let begin = from; begin < to; begin += READ_AT_ONCE) {
      const minutes = Array.from({ length: Math.min(READ_AT_ONCE, to - begin) }, (_, at) => begin + at);
      const hashes = await this.#endpoint.run(
        (client) => Promise.all(minutes.map((minute) => client.hgetall(this.#key(subscription, minute)))),
        { key: "protean:rollup", repeatable: true },
      );
      for (const [at, fields] of hashes.entries()) {
        if (Object.keys(fields).length > 0) found.push(rollupOf(subscription, begin + at, fields));
      }
    }
    return found;
  }

  #key(subscription: string, minute: number): StreamKey {
    return this.#keyOf(`protean:rollup:${subscription}:${minute}`);
  }
}

/** Name, value and kind of what is not 0. */
function fieldsOf({ figures, buckets }: Rollup): (string | number)[] {
  const counted = ROLLUP_FIGURES.flatMap((figure): (string | number)[] =>
    figures[figure] > 0 ? [figure, figures[figure], LARGEST.has(figure) ? 1 : 0] : []
  );
  return [
    ...counted,
    ...buckets.flatMap((count, at) => count > 0 ? [ROLLUP_BUCKETS[at] ?? "", count, 0] : []),
  ];
}

function rollupOf(subscription: string, minute: number, fields: Readonly<Record<string, string>>): Rollup {
  const figure = (name: string) => Number(fields[name] ?? 0) || 0;
  return { subscription, minute, figures: rollupFigures(figure), buckets: ROLLUP_BUCKETS.map(figure) };
}
