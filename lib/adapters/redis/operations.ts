/**
 * Operations in Redis: a hash `protean:operation:<id>` for each, their ids by time in the stream
 * `protean:operations`, and those that are unfinished, by what makes them alike, in the hash
 * `protean:operations:open`. On a Cluster these keys are of one slot. Only commands of
 * `docs/reference/redis-acl.md`.
 *
 * @module
 */
import {
  type NewOperation,
  OPERATION_KEPT_MS,
  type OperationRecords,
  type OperationRow,
  type OperationState,
} from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Redis } from "ioredis";
import type { KeyOf, StreamKey } from "./keys.ts";
import { MUST_BE_ALLOWED, Script } from "./scripts.ts";

const INDEX = "protean:operations";
const OPEN = "protean:operations:open";

// Lua: `unfinished(state)`, and `close(key)`, after which one that is alike may be made.
const COMMON = `${MUST_BE_ALLOWED}
local function unfinished(state) return state == 'planned' or state == 'running' or state == 'paused' end
local function close(key, id)
  local alike = redis.call('HGET', key, 'alike')
  if unfinished(redis.call('HGET', key, 'state')) then
    redis.call('HSET', KEYS[2], alike, id)
    redis.call('PEXPIRE', KEYS[2], ${OPERATION_KEPT_MS})
  elseif redis.call('HGET', KEYS[2], alike) == id then
    redis.call('HDEL', KEYS[2], alike)
  end
end
`;

// Keys: the operation, those that are open, the index, the operation that is open and alike (or the
// operation again). Arguments: id, created, state, alike, data, and the id of the other. Returns the id of
// an unfinished one that is alike, 1 when it was made, or 0 where another one is open by now.
const create = new Script(`${COMMON}
local open = redis.call('HGET', KEYS[2], ARGV[4]) or ''
if open ~= ARGV[6] then return 0 end
if open ~= '' and unfinished(redis.call('HGET', KEYS[4], 'state')) then return open end
must_be_allowed('XADD', KEYS[3], '*', 'id', ARGV[1])
redis.call('HSET', KEYS[1], 'created', ARGV[2], 'state', ARGV[3], 'alike', ARGV[4], 'data', ARGV[5], 'run', '',
  'beats', '0')
redis.call('PEXPIRE', KEYS[1], ${OPERATION_KEPT_MS})
local kept_since = math.max(0, tonumber(ARGV[2]) - ${OPERATION_KEPT_MS})
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%.0f', kept_since))
redis.call('XADD', KEYS[3], '*', 'id', ARGV[1])
redis.call('PEXPIRE', KEYS[3], ${OPERATION_KEPT_MS})
close(KEYS[1], ARGV[1])
return 1
`);

// Keys: the operation, those that are open. Arguments: id, state to be in, run (empty: as it is), states to
// be in one of. Returns the state that it was in, or nil.
const turn = new Script(`${COMMON}
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
for i = 4, #ARGV do
  if state == ARGV[i] then
    redis.call('HSET', KEYS[1], 'state', ARGV[2])
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'run', ARGV[3]) end
    redis.call('PEXPIRE', KEYS[1], ${OPERATION_KEPT_MS})
    close(KEYS[1], ARGV[1])
    return state
  end
end
return state
`);

// Keys: the operation. Arguments: run, '1' with data, data. Returns the state, or nil where it is not run's.
const save = new Script(`
if ARGV[1] == '' or redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'beats', redis.call('HGET', KEYS[1], 'beats') + 1)
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'data', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ${OPERATION_KEPT_MS})
end
return redis.call('HGET', KEYS[1], 'state')
`);

// Keys: the operation, those that are open. Arguments: id, run, state, data. Returns the state, or nil.
const end = new Script(`${COMMON}
if ARGV[2] == '' or redis.call('HGET', KEYS[1], 'run') ~= ARGV[2] then return false end
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'running' then state = ARGV[3] end
redis.call('HSET', KEYS[1], 'data', ARGV[4], 'run', '', 'state', state)
redis.call('PEXPIRE', KEYS[1], ${OPERATION_KEPT_MS})
close(KEYS[1], ARGV[1])
return state
`);

export class RedisOperations implements OperationRecords {
  readonly #endpoint: Endpoint;
  readonly #keyOf: KeyOf;

  constructor(endpoint: Endpoint, keyOf: KeyOf) {
    this.#endpoint = endpoint;
    this.#keyOf = keyOf;
  }

  async create({ id, created, state, alike, data }: NewOperation): Promise<string | undefined> {
    const [key, open, index] = [this.#key(id), this.#keyOf(OPEN), this.#keyOf(INDEX)];
    while (true) {
      const other = await this.#run((client) => client.hget(open, alike)) ?? "";
      const keys = [key, open, index, other === "" ? key : this.#key(other)];
      const made = await this.#endpoint.run(
        (client) => create.run(client, keys, [id, created, state, alike, data, other]),
        { key: INDEX },
      );
      if (made === 1) return undefined;
      if (typeof made === "string") return made;
    }
  }

  async get(id: string): Promise<OperationRow | undefined> {
    const { created, state, run, beats, data } = await this.#run((client) => client.hgetall(this.#key(id)));
    if (!state) return undefined;
    return {
      ...{ id, created: Number(created), state: state as OperationState },
      ...{ run: run ?? "", beats: Number(beats), data: data ?? "" },
    };
  }

  async list(limit: number): Promise<readonly OperationRow[]> {
    const entries = await this.#run((client) =>
      client.xrevrange(this.#keyOf(INDEX), "+", "-", "COUNT", limit)
    );
    const rows = await this.#rows(entries.map(([, fields]) => fields[1] ?? ""));
    const [seconds = 0] = await this.#run((client) => client.time());
    return rows.filter(({ created }) => created >= Number(seconds) * 1000 - OPERATION_KEPT_MS);
  }

  async waiting(limit: number): Promise<readonly OperationRow[]> {
    const open = await this.#run((client) => client.hgetall(this.#keyOf(OPEN)));
    const rows = await this.#rows(Object.values(open));
    return rows.filter(({ state }) => state === "planned" || state === "running")
      .sort((a, b) => a.created - b.created).slice(0, limit);
  }

  async turn(
    id: string,
    from: readonly OperationState[],
    to: OperationState,
  ): Promise<OperationState | undefined> {
    return await this.#turn(id, from, to, "");
  }

  async begin(id: string, from: readonly OperationState[], run: string): Promise<OperationState | undefined> {
    return await this.#turn(id, from, "running", run);
  }

  async save(id: string, run: string, data?: string): Promise<OperationState | undefined> {
    const args = [run, data === undefined ? "0" : "1", data ?? ""];
    return stateOf(await this.#run((client) => save.run(client, [this.#key(id)], args)));
  }

  async end(id: string, run: string, to: OperationState, data: string): Promise<OperationState | undefined> {
    const keys = [this.#key(id), this.#keyOf(OPEN)];
    return stateOf(
      await this.#endpoint.run((client) => end.run(client, keys, [id, run, to, data]), { key: INDEX }),
    );
  }

  async #turn(
    id: string,
    from: readonly OperationState[],
    to: OperationState,
    run: string,
  ): Promise<OperationState | undefined> {
    const keys = [this.#key(id), this.#keyOf(OPEN)];
    return stateOf(
      await this.#endpoint.run((client) => turn.run(client, keys, [id, to, run, ...from]), { key: INDEX }),
    );
  }

  async #rows(ids: readonly string[]): Promise<readonly OperationRow[]> {
    const rows = await Promise.all(ids.map((id) => this.get(id)));
    return rows.flatMap((row) => row ?? []);
  }

  #key(id: string): StreamKey {
    return this.#keyOf(`protean:operation:${id}`);
  }

  #run<T>(send: (client: Redis) => Promise<T>): Promise<T> {
    return this.#endpoint.run(send, { key: INDEX, repeatable: true });
  }
}

function stateOf(reply: unknown): OperationState | undefined {
  return typeof reply === "string" ? reply as OperationState : undefined;
}
