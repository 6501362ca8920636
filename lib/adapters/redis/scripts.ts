/**
 * The Lua scripts: several commands that Redis runs as one.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { RELEASED_IDLE_MS } from "../stream_rules.ts";
import type { StreamKey } from "./keys.ts";

export class Script {
  readonly #lua: string;
  /** The hash that Redis knows it by. */
  readonly sha: string;

  constructor(lua: string) {
    this.#lua = lua;
    this.sha = createHash("sha1").update(lua).digest("hex");
  }

  /**
   * Runs it by its hash; a server that does not know it (yet, or after SCRIPT FLUSH) gets the text. Returns
   * as Redis does.
   */
  async run(
    client: Redis,
    keys: readonly StreamKey[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return await this.#run((command, rest) => client.call(command, rest), keys, args);
  }

  /** The same, with buffers instead of texts. */
  async runForBuffers(
    client: Redis,
    keys: readonly StreamKey[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return await this.#run((command, rest) => client.callBuffer(command, rest), keys, args);
  }

  async #run(
    call: (command: string, rest: (string | number)[]) => Promise<unknown>,
    keys: readonly StreamKey[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await call("EVALSHA", [this.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return await call("EVAL", [this.#lua, ...rest]);
    }
  }
}

// The question that every script about an owned entry begins with (delivery 1). KEYS[1] is the stream,
// ARGV[1] the group.

/**
 * Lua: `pending_entry(id, consumer)` returns `{id, consumer, idle, count}`, or nil when that consumer does
 * not own it.
 */
export const PENDING_ENTRY = `
local function pending_entry(id, consumer)
  local found = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1, consumer)
  if found.err then
    if string.sub(found.err, 1, 7) == 'NOGROUP' then return nil end
    error(found)
  end
  return found[1]
end
`;

/** Lua: `below(a, b)` of two integers of 64 bits, by their digits: no number of Lua holds them. */
export const BELOW = `
local function below(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
`;

/**
 * Lua: `must_be_allowed(command, …)` ends the script as Redis would, before anything is written: what a script
 * has written stays when a later command of it is refused, and a dead letter would be written at every try.
 */
export const MUST_BE_ALLOWED = `
local function must_be_allowed(command, ...)
  if redis.acl_check_cmd(command, ...) then return end
  error({err = "NOPERM this user has no permissions to run the '" .. string.lower(command) .. "' command here"})
end
`;

// Acknowledges on a replay lane: the entries go, and the stream goes with the last of them (delivery 19).
//
// Arguments: group, id…. Returns how many were pending.

/** Lua: `leave_lane(id)` removes the entry, and the lane when it was the last one. */
export const LEAVE_LANE = `${MUST_BE_ALLOWED}
local function may_leave_lane()
  must_be_allowed('XDEL', KEYS[1], '0-1')
  must_be_allowed('DEL', KEYS[1])
end
local function leave_lane(id)
  redis.call('XDEL', KEYS[1], id)
  if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
end
`;

export const ackLane = new Script(`${LEAVE_LANE}
may_leave_lane()
local acknowledged = 0
for i = 2, #ARGV do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    acknowledged = acknowledged + 1
    leave_lane(ARGV[i])
  end
end
return acknowledged
`);

// Appends a batch. One script instead of a pipeline of XADDs, because memory that runs out (or comes free)
// half-way through a pipeline refuses some entries and takes later ones, and so breaks their order: Redis
// judges a script once. It is also quicker, one reply instead of a hundred.
//
// Keys: the streams. Arguments: pairs of a stream's place among the keys and the data. Returns an id or an
// error for each. The only script whose keys are not all of one category: a Cluster needs one call of it for
// each slot.

export const append = new Script(`
local results = {}
for i = 1, #ARGV, 2 do
  results[#results + 1] = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], '*', 'data', ARGV[i + 1])
end
return results
`);

// The same for entries of parted categories among others (wire 2.11). Key and entry in one step: between the
// two, a partition without entries could be reaped, and an entry outside the set would be found by nobody.
//
// Arguments: for each entry the place of its stream among the keys, the place of its set of keys or 0, the
// partition key, the data.

export const appendParted = new Script(`
local results = {}
for i = 1, #ARGV, 4 do
  local index = tonumber(ARGV[i + 1])
  local noted = index > 0 and redis.pcall('SADD', KEYS[index], ARGV[i + 2])
  results[#results + 1] = type(noted) == 'table' and noted.err and noted
    or redis.pcall('XADD', KEYS[tonumber(ARGV[i])], '*', 'data', ARGV[i + 3])
end
return results
`);

// Counts a started attempt (delivery 2).
//
// Arguments: group, consumer, id. Returns the new count, or nil when the entry is not ours: another
// consumer's, nobody's, or trimmed away under us.

export const attempt = new Script(`${PENDING_ENTRY}
local mine = pending_entry(ARGV[3], ARGV[2])
if not mine then return nil end
local count = mine[4] + 1
-- As XCLAIM without JUSTID would, but without loading the entry.
local kept = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', count, 'JUSTID')[1]
return kept and count
`);

// Takes entries over without counting (delivery 2), each only if the consumer named still owns it and left it
// alone long enough.
//
// Arguments: group, new consumer, the time in ms after which an owner that was not seen is gone, the latest
// time of the clock that is believed (epoch ms; -1: any), then triples of id, present owner and least idle
// time in ms; -1 instead of that time asks that the owner is gone still. At a later time nothing is taken.
// Keys: stream, what is postponed of the group. Returns `{id, count, 1, postponed}` for each that was taken, 0
// in place of the 1 for those that the stream no longer holds: they leave the pending list (PIPE-7);
// `postponed` is empty, or `<times> <ms left>`. No text passes through a script: it may be of any size.

export const claim = new Script(`${PENDING_ENTRY}
local unseen
local function is_gone(owner)
  if not unseen then
    unseen = {}
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
      local facts = {}
      for f = 1, #consumer, 2 do facts[consumer[f]] = consumer[f + 1] end
      unseen[facts.name] = facts.idle
    end
  end
  return (unseen[owner] or 0) >= tonumber(ARGV[3])
end

local postponed = redis.call('TYPE', KEYS[2]).ok == 'hash'
local claimed = {}
local latest = tonumber(ARGV[4])
if latest >= 0 and tonumber(redis.call('TIME')[1]) * 1000 > latest then return claimed end
for i = 5, #ARGV, 3 do
  local id, owner, least = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local held = pending_entry(id, owner)
  if held and ((least >= 0 and held[3] >= least) or (least < 0 and is_gone(owner))) then
    -- Drops the entry from the pending list if the stream no longer holds it.
    local taken = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')[1]
    local left = postponed and redis.call('HGET', KEYS[2], id) or ''
    if left ~= '' then
      local times, till = string.match(left, '^(%d+) (%d+)$')
      local time = redis.call('TIME')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      left = times and (times .. ' ' .. string.format('%.0f', math.max(0, tonumber(till) - now))) or ''
    end
    claimed[#claimed + 1] = {id, held[4], taken and 1 or 0, left}
  end
end
return claimed
`);

// Keeps that a handler wants its entry later, and sets its count (`StreamGroup.postpone`).
//
// Keys: stream, what is postponed of the group: a hash of `<times> <epoch ms>` by id. Arguments: group,
// consumer, id, times, ms to wait, count, ms that the hash is kept. Returns 1, or 0 when the entry is not ours.

export const postpone = new Script(`${PENDING_ENTRY}
if not pending_entry(ARGV[3], ARGV[2]) then return 0 end
local kept = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', ARGV[6], 'JUSTID')[1]
if not kept then return 0 end
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[5])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ' ' .. string.format('%.0f', till))
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return 1
`);

// Removing consumers (PIPE-9). XGROUP DELCONSUMER drops what is pending for good, so each is looked at in the
// same step.

/** Arguments: group, consumer. Returns 1 if the consumer is gone, 0 if it has something pending. */
export const retire = new Script(`
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if pending.err then
  if string.sub(pending.err, 1, 7) == 'NOGROUP' then return 1 end
  return pending
end
if #pending > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
`);

/**
 * Arguments: group, consumer to spare, least idle time in ms, what the names of those begin with for which
 * another one counts (empty: there are none), and that. Returns the names of the consumers removed.
 */
export const sweep = new Script(`
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  if string.sub(consumers.err, 1, 7) == 'NOGROUP' or consumers.err == 'ERR no such key' then return {} end
  return consumers
end
local gone = {}
for _, consumer in ipairs(consumers) do
  local facts = {}
  for f = 1, #consumer, 2 do facts[consumer[f]] = consumer[f + 1] end
  local own = ARGV[4] ~= '' and string.sub(facts.name, 1, #ARGV[4]) == ARGV[4]
  local least = tonumber(own and ARGV[5] or ARGV[3])
  if facts.name ~= ARGV[2] and facts.pending == 0 and facts.idle >= least then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
    gone[#gone + 1] = facts.name
  end
end
return gone
`);

// Hands an entry to another consumer of the group, which finds it among its own. Whoever finds it again
// counts it, so that what nobody handles is not handed around for ever.
//
// Arguments: group, consumer, id, the other consumer. Returns 1; 0 when the entry is not ours; -1 when that
// consumer is not there (any more), for XCLAIM would make it.

export const handOver = new Script(`${PENDING_ENTRY}
if not pending_entry(ARGV[3], ARGV[2]) then return 0 end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  for f = 1, #consumer, 2 do
    if consumer[f] == 'name' and consumer[f + 1] == ARGV[4] then
      return #redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[4], 0, ARGV[3], 'JUSTID')
    end
  end
end
return -1
`);

// Keeps entries ours: resets their idle time, never raises a count (delivery 1).
//
// Arguments: group, consumer, id…. Returns the ids that are not ours: another consumer's, nobody's, or
// trimmed away under us; those last ones XCLAIM drops from the pending list.

export const refresh = new Script(`${PENDING_ENTRY}
local lost = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local kept = pending_entry(id, ARGV[2]) and
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')[1]
  if not kept then lost[#lost + 1] = id end
end
return lost
`);

// Hands entries back so that anyone claims them at once (delivery 7).
//
// Arguments: group, consumer, then pairs of id and count. Entries of others are left alone.

export const release = new Script(`${PENDING_ENTRY}
for i = 3, #ARGV, 2 do
  if pending_entry(ARGV[i], ARGV[2]) then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'IDLE', ${RELEASED_IDLE_MS}, 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  end
end
return 1
`);

// Retention as a soft cap (delivery 8, PIPE-8): nothing goes that any group has not read, or has read and not
// acknowledged.
//
// Arguments: greatest length, most entries to drop in one call. Returns how many went. The bound is the
// lowest, over all groups, of the first pending id and the id after the last one delivered; a stream without
// groups is left alone. Redis drops whole nodes of the stream (100 entries), never more than it was allowed
// to.

export const trim = new Script(`
local excess = math.min(redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1]), tonumber(ARGV[2]))
if excess < 1 then return 0 end

${BELOW}
local low_ms, low_n
local function needed(id, step)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  -- Beyond that one entry more is kept.
  if #n <= 15 then n = string.format('%.0f', tonumber(n) + step) end
  if not low_ms or below(ms, low_ms) or (ms == low_ms and below(n, low_n)) then low_ms, low_n = ms, n end
end

for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name, last
  for f = 1, #group, 2 do
    if group[f] == 'name' then name = group[f + 1] end
    if group[f] == 'last-delivered-id' then last = group[f + 1] end
  end
  needed(last, 1)
  local first = redis.call('XPENDING', KEYS[1], name)[2]
  if first then needed(first, 0) end
end
if not low_ms then return 0 end

return redis.call('XTRIM', KEYS[1], 'MINID', '~', low_ms .. '-' .. low_n, 'LIMIT', excess)
`);

/** What `streamEnds` tells of a key that it may not read, or that is no stream. */
export const UNREADABLE_END = "error";

/**
 * KEYS are streams; ARGV, for each, what was told of it before, or empty. Returns `{at, end, …}` of those of
 * which there is news: the number in KEYS and the id of the last entry, `none` where there is none. A stream
 * whose entries were all removed keeps its end.
 */
export const streamEnds = new Script(`
local news = {}
for at, key in ipairs(KEYS) do
  local known = ARGV[at]
  local seen = string.find(known, '-', 1, true) ~= nil
  local newer = redis.pcall('XRANGE', key, seen and '(' .. known or '-', '+', 'COUNT', 1)
  local last = known
  if newer.err then
    last = '${UNREADABLE_END}'
  elseif #newer > 0 then
    local entries = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
    last = entries.err and '${UNREADABLE_END}' or entries[1][1]
  elseif not seen or redis.call('EXISTS', key) == 0 then
    last = 'none'
  end
  if last ~= known then
    news[#news + 1] = at
    news[#news + 1] = last
  end
end
return news
`);
