/**
 * Alerts in Redis: the hash `protean:alerts`, a field for each. Only commands of `docs/reference/redis-acl.md`.
 *
 * @module
 */
import type { AlertChange, AlertRecords } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { KeyOf } from "./keys.ts";
import { Script } from "./scripts.ts";

const ALERTS = "protean:alerts";
/** Changes that one script makes, so that it keeps nobody waiting. */
const AT_ONCE = 200;

// Keys: the hash. Arguments, for each change: id, '1' or '0' for whether something is kept and what, '1' or
// '0' for whether something is to be kept and what. Returns 1 or 0 for each.
const change = new Script(`
local made = {}
for at = 1, #ARGV, 5 do
  local kept = redis.call('HGET', KEYS[1], ARGV[at])
  local same = (not kept and ARGV[at + 1] == '0') or (kept and ARGV[at + 1] == '1' and kept == ARGV[at + 2])
  if same and ARGV[at + 3] == '1' then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 4])
  elseif same then
    redis.call('HDEL', KEYS[1], ARGV[at])
  end
  made[#made + 1] = same and 1 or 0
end
return made
`);

export class RedisAlerts implements AlertRecords {
  readonly #endpoint: Endpoint;
  readonly #keyOf: KeyOf;

  constructor(endpoint: Endpoint, keyOf: KeyOf) {
    this.#endpoint = endpoint;
    this.#keyOf = keyOf;
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const fields = await this.#endpoint.run((client) => client.hgetall(this.#keyOf(ALERTS)), {
      ...{ key: ALERTS, repeatable: true },
    });
    return new Map(Object.entries(fields));
  }

  async change(changes: readonly AlertChange[]): Promise<readonly boolean[]> {
    const made: boolean[] = [];
    for (let at = 0; at < changes.length; at += AT_ONCE) {
      const args = changes.slice(at, at + AT_ONCE).flatMap(({ id, was, data }) => [
        ...[id, was === undefined ? "0" : "1", was ?? ""],
        ...[data === undefined ? "0" : "1", data ?? ""],
      ]);
      const replies = await this.#endpoint.run(
        (client) => change.run(client, [this.#keyOf(ALERTS)], args),
        { key: ALERTS },
      );
      made.push(...(replies as readonly number[]).map((reply) => reply === 1));
    }
    return made;
  }
}
