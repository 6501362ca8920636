/**
 * The Lua scripts that move and drop dead letters.
 *
 * @module
 */
import { ADD, MOST_BYTES, READ_AT_ONCE } from "./failure_scripts.ts";
import { LEAVE_LANE, MUST_BE_ALLOWED, PENDING_ENTRY, Script } from "./scripts.ts";

/**
 * Lua: `take(book, entry)` removes an entry of the book's queue, which is lowered; `XDEL` is allowed. Returns
 * how many went.
 */
const TAKE = `
local function take(book, entry)
  local gone = redis.call('XDEL', book.dlq, entry[1])
  if gone == 1 then in_book(book, function() lower(book, entry[1], text_of(entry)) end) end
  return gone
end
`;

/**
 * Moves an entry to the dead letters: written there and acknowledged here, or neither (delivery 18). Keys:
 * stream, dead-letter stream, its groups. Arguments: group, consumer, id, data, '1' for a lane. Returns 1, or
 * 0 when this consumer does not own the entry; a list with the error where the dead-letter stream refuses it.
 */
export const deadLetter = new Script(`${PENDING_ENTRY}${LEAVE_LANE}${ADD}
local id = ARGV[3]
if not pending_entry(id, ARGV[2]) then return 0 end
must_be_allowed('XACK', KEYS[1], ARGV[1], id)
if ARGV[5] == '1' then may_leave_lane() end
local book = open_book(KEYS[2], KEYS[3])
local written = add(book, 'data', ARGV[4])
if type(written) == 'table' then return {written} end
close_book(book)
redis.call('XACK', KEYS[1], ARGV[1], id)
if ARGV[5] == '1' then leave_lane(id) end
return 1
`);

/**
 * Moves one entry, fields as they are, to the end of a replay lane, whose group is created at 0 if missing;
 * it is in exactly one place at every moment (delivery 19, DLQ-5). Keys: dead-letter stream, lane, groups.
 * Arguments: id, group. Returns 1, or 0 when the entry is not there (any more); a list with the error where the lane
 * refuses it.
 */
export const replay = new Script(`${MUST_BE_ALLOWED}${ADD}${TAKE}
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
must_be_allowed('XDEL', KEYS[1], ARGV[1])
local created = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
if created.err and string.sub(created.err, 1, 9) ~= 'BUSYGROUP' then return {created} end
redis.call('XADD', KEYS[2], '*', unpack(found[1][2]))
local book = open_book(KEYS[1], KEYS[3])
take(book, found[1])
close_book(book)
return 1
`);

/**
 * Moves entries, fields as they are, to the end of another dead-letter stream, each of them there before it is
 * gone here. Keys: from, to, groups of from, groups of to. Arguments: ids. Returns how many of them it has
 * looked for, and how many were there.
 */
export const move = new Script(`${MUST_BE_ALLOWED}${ADD}${TAKE}
local from, to = open_book(KEYS[1], KEYS[3]), open_book(KEYS[2], KEYS[4])
local asked, moved, bytes = 0, 0, 0
while asked < #ARGV and bytes < ${MOST_BYTES} do
  asked = asked + 1
  local found = redis.call('XRANGE', KEYS[1], ARGV[asked], ARGV[asked])
  if #found > 0 then
    must_be_allowed('XDEL', KEYS[1], ARGV[asked])
    local written = add(to, unpack(found[1][2]))
    if type(written) == 'table' then
      close_book(from)
      close_book(to)
      error(written)
    end
    moved = moved + take(from, found[1])
    bytes = bytes + #text_of(found[1])
  end
end
close_book(from)
close_book(to)
return {asked, moved}
`);

/**
 * Removes entries. Keys: dead-letter stream, groups. Arguments: ids. Returns how many of them it has looked
 * for, and how many were there.
 */
export const remove = new Script(`${MUST_BE_ALLOWED}${ADD}${TAKE}
must_be_allowed('XDEL', KEYS[1], ARGV[1])
local book = open_book(KEYS[1], KEYS[2])
local asked, removed, bytes = 0, 0, 0
while asked < #ARGV and bytes < ${MOST_BYTES} do
  asked = asked + 1
  local found = redis.call('XRANGE', KEYS[1], ARGV[asked], ARGV[asked])
  if #found > 0 then
    removed = removed + take(book, found[1])
    bytes = bytes + #text_of(found[1])
  end
end
close_book(book)
return {asked, removed}
`);

/**
 * Puts what a letter is about on a stream that every group reads, and removes the letter. Keys: dead-letter
 * stream, stream, groups. Arguments: id, data. Returns 1, or 0 when the letter is not there (any more).
 */
export const releaseLetter = new Script(`${MUST_BE_ALLOWED}${ADD}${TAKE}
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
must_be_allowed('XDEL', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], '*', 'data', ARGV[2])
local book = open_book(KEYS[1], KEYS[3])
local released = take(book, found[1])
close_book(book)
return released
`);

/**
 * Gives an entry back to a group that has read and acknowledged it, as pending on one consumer, and removes
 * the letter about it (delivery 19). Keys: dead-letter stream, stream, groups. Arguments: id of the letter,
 * group, id of the entry, consumer. Returns what became of it.
 */
export const replayToOther = new Script(`${MUST_BE_ALLOWED}${ADD}${TAKE}
must_be_allowed('XDEL', KEYS[1], ARGV[1])
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #letter == 0 then return 'gone' end
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
      local book = open_book(KEYS[1], KEYS[3])
      take(book, letter[1])
      close_book(book)
      return 'replayed'
    end
  end
end
return 'nobody'
`);

/**
 * Removes the oldest dead letters given before a time, exactly (DLQ-2). Where none is counted, whole nodes go
 * without being read, and of the node in which the time lies, entries one by one. Keys: dead-letter stream,
 * groups. Arguments: epoch ms, most entries to remove (at least 1). Returns how many went, and 1 if there may
 * be more.
 */
export const trimBefore = new Script(`${MUST_BE_ALLOWED}${ADD}
local most, before = tonumber(ARGV[2]), '(' .. ARGV[1]
local book = open_book(KEYS[1], KEYS[2])
if book.total == 0 then
  local gone = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1], 'LIMIT', most)
  if gone >= most then return {gone, 0} end
  local step = math.min(most - gone, 100)
  local rest = redis.call('XRANGE', KEYS[1], '-', before, 'COUNT', step)
  for _, entry in ipairs(rest) do redis.call('XDEL', KEYS[1], entry[1]) end
  return {gone + #rest, #rest == step and 1 or 0}
end
must_be_allowed('XTRIM', KEYS[1], 'MINID', ARGV[1])
local from, last, gone, bytes, more = '-', nil, 0, 0, 1
while gone < most and bytes < ${MOST_BYTES} do
  local step = math.min(${READ_AT_ONCE}, most - gone)
  local found = redis.call('XRANGE', KEYS[1], from, before, 'COUNT', step)
  for _, entry in ipairs(found) do
    local text = text_of(entry)
    in_book(book, function() lower(book, entry[1], text) end)
    gone, bytes, last = gone + 1, bytes + #text, entry[1]
    from = '(' .. last
  end
  if #found < step then
    more = 0
    break
  end
end
if last then
  local kept = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
  if kept then redis.call('XTRIM', KEYS[1], 'MINID', kept[1]) else redis.call('XTRIM', KEYS[1], 'MAXLEN', 0) end
end
close_book(book)
return {gone, more}
`);

/** The id of the oldest entry of a stream, without its text, which may be large; false where it has none. */
export const oldestId = new Script(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return first and first[1]
`);

/**
 * Drops a stream whole and returns how many entries it had. The memory is freed in the background. Keys:
 * dead-letter stream, groups. Arguments: an id, where nothing is to be dropped if an entry stands behind it.
 */
export const purge = new Script(`
if ARGV[1] and #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1) > 0 then return 0 end
local length = redis.call('XLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
redis.pcall('UNLINK', KEYS[2])
return length
`);
