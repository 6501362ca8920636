/**
 * The Lua scripts that move and drop dead letters.
 *
 * @module
 */
import { BELOW, MUST_BE_ALLOWED, Script } from "./scripts.ts";

/**
 * Moves one entry, fields as they are, to the end of a replay lane, whose group is created at 0 if missing;
 * it is in exactly one place at every moment (delivery 19, DLQ-5). Keys: dead-letter stream, lane. Arguments:
 * id, group. Returns 1, or 0 when the entry is not there (any more); a list with the error where the lane
 * refuses it.
 */
export const replay = new Script(`${MUST_BE_ALLOWED}
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
must_be_allowed('XDEL', KEYS[1], ARGV[1])
local created = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
if created.err and string.sub(created.err, 1, 9) ~= 'BUSYGROUP' then return {created} end
redis.call('XADD', KEYS[2], '*', unpack(found[1][2]))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`);

/**
 * Moves entries, fields as they are, to the end of another dead-letter stream, each of them there before it is
 * gone here. Keys: from, to. Arguments: ids. Returns how many were there.
 */
export const move = new Script(`${MUST_BE_ALLOWED}
local moved = 0
for i = 1, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if #found > 0 then
    must_be_allowed('XDEL', KEYS[1], ARGV[i])
    redis.call('XADD', KEYS[2], '*', unpack(found[1][2]))
    moved = moved + redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
return moved
`);

/**
 * Puts what a letter is about on a stream that every group reads, and removes the letter. Keys: dead-letter
 * stream, stream. Arguments: id, data. Returns 1, or 0 when the letter is not there (any more).
 */
export const releaseLetter = new Script(`${MUST_BE_ALLOWED}
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
must_be_allowed('XDEL', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], '*', 'data', ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[1])
`);

/**
 * Gives an entry back to a group that has read and acknowledged it, as pending on one consumer, and removes
 * the letter about it (delivery 19). Keys: dead-letter stream, stream. Arguments: id of the letter, group, id
 * of the entry, consumer. Returns what became of it.
 */
export const replayToOther = new Script(`${BELOW}${MUST_BE_ALLOWED}
must_be_allowed('XDEL', KEYS[1], ARGV[1])
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 'gone' end
if #redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3]) == 0 then return 'trimmed' end
local read
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do
  local facts = {}
  for f = 1, #group, 2 do facts[group[f]] = group[f + 1] end
  if facts.name == ARGV[2] then read = facts['last-delivered-id'] end
end
if not read then return 'nobody' end
local read_ms, read_n = string.match(read, '^(%d+)-(%d+)$')
local ms, n = string.match(ARGV[3], '^(%d+)-(%d+)$')
if below(read_ms, ms) or (read_ms == ms and below(read_n, n)) then return 'unread' end
if #redis.call('XPENDING', KEYS[2], ARGV[2], ARGV[3], ARGV[3], 1) > 0 then return 'pending' end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[2], ARGV[2])) do
  for f = 1, #consumer, 2 do
    if consumer[f] == 'name' and consumer[f + 1] == ARGV[4] then
      redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[4], 0, ARGV[3], 'FORCE', 'RETRYCOUNT', 0, 'JUSTID')
      redis.call('XDEL', KEYS[1], ARGV[1])
      return 'replayed'
    end
  end
end
return 'nobody'
`);

/**
 * Removes the oldest dead letters given before a time, exactly (DLQ-2). Whole nodes go without being read; of
 * the node in which the time lies, entries go one by one. Keys: dead-letter stream. Arguments: epoch ms, most
 * entries to remove (at least 1). Returns how many went, and 1 if there may be more.
 */
export const trimBefore = new Script(`
local most = tonumber(ARGV[2])
local gone = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1], 'LIMIT', most)
if gone >= most then return {gone, 0} end
local step = math.min(most - gone, 100)
local rest = redis.call('XRANGE', KEYS[1], '-', '(' .. ARGV[1], 'COUNT', step)
for _, entry in ipairs(rest) do redis.call('XDEL', KEYS[1], entry[1]) end
return {gone + #rest, #rest == step and 1 or 0}
`);

/** The id of the oldest entry of a stream, without its text, which may be large; false where it has none. */
export const oldestId = new Script(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return first and first[1]
`);

/** Drops a stream whole and returns how many entries it had. The memory is freed in the background. */
export const purge = new Script(`
local length = redis.call('XLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
return length
`);
