/**
 * The Lua scripts of parted categories (wire 2.11). Those that Python has as well mean what its own mean, on
 * the same keys, so that either may own a key next. The first key of the fenced ones is the lease, their first
 * argument the fence.
 *
 * @module
 */
import { ADD } from "./failure_scripts.ts";
import { PENDING_ENTRY, Script } from "./scripts.ts";

/** What a fenced script fails with, exactly so. */
export const FENCED = "FENCED";

const FENCE = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('${FENCED}') end\n`;
/** `pending_entry` looks at `KEYS[1]` and `ARGV[1]`. */
const PENDING = PENDING_ENTRY.replace("KEYS[1], ARGV[1]", "KEYS[2], ARGV[2]");

/** Keys: lease, generation. Arguments: owner, time to live in ms. Returns the generation, nil while owned. */
export const acquireLease = new Script(`
if redis.call('GET', KEYS[1]) then return nil end
local generation = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. generation, 'PX', ARGV[2])
return generation
`);

/**
 * Makes the group and takes over all that is pending in it, counts left as they are; owners before, who have
 * nothing then, are forgotten as consumers. Keys: lease, stream, set
 * of keys, halted. Arguments: fence, group, key. Returns 1, or 0 when the set does not have the key.
 */
export const adopt = new Script(`${FENCE}
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 0 then return 0 end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
if made.err and string.sub(made.err, 1, 9) ~= 'BUSYGROUP' then return made end
local from = '0-0'
repeat
  from = redis.call('XAUTOCLAIM', KEYS[2], ARGV[2], ARGV[1], 0, from, 'COUNT', 100, 'JUSTID')[1]
until from == '0-0'
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[2], ARGV[2])) do
  for f = 1, #consumer, 2 do
    if consumer[f] == 'name' and consumer[f + 1] ~= ARGV[1] then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[2], ARGV[2], consumer[f + 1])
    end
  end
end
redis.call('HDEL', KEYS[4], ARGV[3])
return 1
`);

/**
 * The first entry that is pending on the owner, else the next one. Keys: lease, stream. Arguments: fence,
 * group. Returns nil, or the count of a pending one (0: it is new) and what XREADGROUP answers. Entries that
 * the stream does not hold any more leave the pending list.
 */
export const next = new Script(`${FENCE}
while true do
  local mine = redis.call('XPENDING', KEYS[2], ARGV[2], '-', '+', 1, ARGV[1])[1]
  if not mine then break end
  local found = redis.call('XRANGE', KEYS[2], mine[1], mine[1])
  if #found > 0 then return {mine[4], {{KEYS[2], found}}} end
  redis.call('XACK', KEYS[2], ARGV[2], mine[1])
end
local read = redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[2], '>')
return read and {0, read}
`);

/** Keys: lease, stream. Arguments: fence, group, ids. Returns how many were pending. */
export const fencedAck = new Script(`${FENCE}
local acknowledged = 0
for i = 3, #ARGV do acknowledged = acknowledged + redis.call('XACK', KEYS[2], ARGV[2], ARGV[i]) end
return acknowledged
`);

/**
 * Keys: lease, stream, halted. Arguments: fence, group, id, count, key, what is noted. Returns 1, or 0 when
 * the entry is not the owner's.
 */
export const halt = new Script(`${FENCE}${PENDING}
if not pending_entry(ARGV[3], ARGV[1]) then return 0 end
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[1], 0, ARGV[3], 'RETRYCOUNT', ARGV[4], 'JUSTID')
redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
return 1
`);

/**
 * Keys: halted, stream. Arguments: key, group. Returns 1 while the entry that is noted is there and pending;
 * else 0, and forgets the note: somebody has removed the entry or the group by other means.
 */
export const stillHalted = new Script(`
local note = redis.call('HGET', KEYS[1], ARGV[1])
if not note then return 0 end
local read, halt = pcall(cjson.decode, note)
local id = read and type(halt) == 'table' and halt.id
if type(id) == 'string' then
  local pending = redis.pcall('XPENDING', KEYS[2], ARGV[2], id, id, 1)
  if pending.err and string.sub(pending.err, 1, 7) ~= 'NOGROUP' then return pending end
  if pending[1] and #redis.call('XRANGE', KEYS[2], id, id) > 0 then return 1 end
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 0
`);

/**
 * Keys: halted, stream, dead-letter stream and its groups where the entry is to go there. Arguments: key,
 * group, what is noted, id, data of the letter. Returns 1, or 0 when something else is noted by now.
 */
export const unblock = new Script(`${ADD}
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[3] then return 0 end
if KEYS[3] then
  local book = open_book(KEYS[3], KEYS[4])
  local written = add(book, 'data', ARGV[5])
  if type(written) == 'table' then error(written) end
  close_book(book)
end
redis.call('XACK', KEYS[2], ARGV[2], ARGV[4])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
`);

/** Keys: set of keys, streams of the key. Arguments: key, least idle time in ms. Returns 1 if they went. */
export const reap = new Script(`
for s = 2, #KEYS do
  local last = redis.call('XREVRANGE', KEYS[s], '+', '-', 'COUNT', 1)[1]
  if last then
    local now = redis.call('TIME')
    local ms, n = string.match(last[1], '^(%d+)-(%d+)$')
    if now[1] * 1000 + math.floor(now[2] / 1000) - ms < tonumber(ARGV[2]) then return 0 end
    local groups = redis.call('XINFO', 'GROUPS', KEYS[s])
    if #groups == 0 then return 0 end
    for _, group in ipairs(groups) do
      local facts = {}
      for f = 1, #group, 2 do facts[group[f]] = group[f + 1] end
      if facts.pending > 0 then return 0 end
      local read_ms, read_n = string.match(facts['last-delivered-id'], '^(%d+)-(%d+)$')
      if tonumber(read_ms) < tonumber(ms) then return 0 end
      if read_ms == ms and tonumber(read_n) < tonumber(n) then return 0 end
    end
  end
end
redis.call('SREM', KEYS[1], ARGV[1])
for s = 2, #KEYS do redis.call('DEL', KEYS[s]) end
return 1
`);

/** Keys: streams. Argument: group. Returns the places of those with something unread or pending, or without the group. */
export const news = new Script(`
local found = {}
for place, key in ipairs(KEYS) do
  local stream = redis.pcall('XINFO', 'STREAM', key)
  local groups = not stream.err and redis.pcall('XINFO', 'GROUPS', key)
  local last, read
  if groups and not groups.err then
    for f = 1, #stream, 2 do if stream[f] == 'last-generated-id' then last = stream[f + 1] end end
    for _, group in ipairs(groups) do
      local facts = {}
      for f = 1, #group, 2 do facts[group[f]] = group[f + 1] end
      if facts.name == ARGV[1] and facts.pending == 0 then read = facts['last-delivered-id'] end
    end
  end
  if not read or read ~= last then found[#found + 1] = place end
end
return found
`);

/**
 * Keys: streams. Argument: group. Returns sums over them: entries, lag (-1: unknown), pending, consumers. What
 * the group has never read is lag.
 */
export const totals = new Script(`
local length, lag, pending, consumers = 0, 0, 0, 0
for _, key in ipairs(KEYS) do
  local entries = redis.pcall('XLEN', key)
  if type(entries) == 'number' then
    length = length + entries
    local groups, known = redis.pcall('XINFO', 'GROUPS', key), false
    for _, group in ipairs(groups.err and {} or groups) do
      local facts = {}
      for f = 1, #group, 2 do facts[group[f]] = group[f + 1] end
      if facts.name == ARGV[1] then
        known = true
        local behind = facts.lag
        if type(behind) ~= 'number' then
          local next = redis.pcall('XRANGE', key, '(' .. facts['last-delivered-id'], '+', 'COUNT', 1)
          behind = #next == 0 and not next.err and 0 or nil
        end
        if lag >= 0 then lag = behind and lag + behind or -1 end
        pending = pending + facts.pending
        consumers = consumers + facts.consumers
      end
    end
    if not known and lag >= 0 then lag = lag + entries end
  end
end
return {length, lag, pending, consumers}
`);
