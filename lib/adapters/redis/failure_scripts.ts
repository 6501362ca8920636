/**
 * Lua: what dead letters failed of, counted beside their queue in `<dlq>:groups` (operations 6), and the
 * scripts that read it.
 *
 * A letter is counted if its id is not above that of the field `counted` (`<id> <letters> <groups>`): whoever
 * writes or removes a letter decides by that, so it does not matter whose it is. Where somebody else has
 * written behind `counted` (Python, an older server, `dlq import`), nobody counts until `countOn` has come to
 * the end.
 * Counting never keeps a letter from being written or removed: what cannot be counted, because memory is full
 * or rights are missing, is counted again later, from the beginning.
 *
 * @module
 */
import { FOREIGN_FRAMES, UNKNOWN } from "../../message/failure_group.ts";
import { MOST_GROUPS, OTHER } from "../failure_book.ts";
import { BELOW, Script } from "./scripts.ts";

/** Characters of a text beyond which its facts are looked for at its end, instead of reading all of it. */
const LONG = 65_536;
/** Characters at the end of a longer text in which `_dlq_metadata` begins. */
const TAIL = 262_144;

/**
 * Lua: `failure_of(text)` returns fingerprint and facts, as `failureOf` does. Of the facts `[handler, named,
 * error type, message type]`, each is cut to a length that 1,000 groups may have.
 */
const FAILURE_OF = `
local function text_in(value) if type(value) == 'string' and value ~= '' then return value end end

local function last_key(text, key, from, till)
  local quoted, at = '"' .. key .. '"', nil
  for _ = 1, 1000 do
    local found = string.find(text, quoted, from, true)
    if not found or found > till then break end
    if string.find(text, '^%s*:%s*{', found + #quoted) then at = found end
    from = found + 1
  end
  return at and string.match(text, '^%s*:%s*()', at + #quoted), at
end

local function parts_of(text)
  if #text <= ${LONG} then
    local ok, whole = pcall(cjson.decode, text)
    if ok and type(whole) == 'table' then
      local metadata = whole.metadata
      local headers = type(metadata) == 'table' and metadata.headers
      return whole._dlq_metadata, type(headers) == 'table' and headers.type or nil
    end
  end
  local from, key = last_key(text, '_dlq_metadata', math.max(1, #text - ${TAIL}), #text)
  local body = from and string.match(string.sub(text, from), '^(.*)}%s*$')
  local ok, facts = pcall(cjson.decode, body or '')
  local headers = last_key(text, 'headers', 1, key or #text)
  return ok and facts, headers and string.match(string.sub(text, headers, headers + 4096), '"type"%s*:%s*"([^"]*)"')
end

local foreign = { ${FOREIGN_FRAMES.map((part) => `'${part}'`).join(", ")} }
local function is_foreign(frame)
  for _, part in ipairs(foreign) do if string.find(frame, part, 1, true) then return true end end
end

local function own_frame(stack)
  for line in string.gmatch(stack, '[^\\n]+') do
    local frame = string.match(line, '^[ \\t]+at (.+)$')
    if frame and not is_foreign(frame) then
      local called = string.gsub(frame, '^async ', '')
      local file = string.match(called, '^.*/(.*)$')
      local place = string.find(called, ' (', 1, true)
      local text = called
      if file then text = (place and string.sub(called, 1, place - 1) or '') .. ' ' .. file end
      return (string.gsub(text, '[%d:)]+', ''))
    end
  end
  return ''
end

local function short(text)
  if #text <= 256 then return text end
  return (string.gsub(string.sub(text, 1, 256), '[\\192-\\255][\\128-\\191]*$', ''))
end

local function failure_of(text)
  local facts, message_type = parts_of(text)
  if type(facts) ~= 'table' then facts = {} end
  local named = text_in(facts.handler)
  local handler = named or text_in(facts.consumer_group) or '${UNKNOWN}'
  local error_type = type(facts.error_type) == 'string' and facts.error_type or '${UNKNOWN}'
  if type(message_type) ~= 'string' then message_type = '${UNKNOWN}' end
  local frame = own_frame(text_in(facts.error_stack) or '')
  local fingerprint = redis.sha1hex(handler .. '|' .. error_type .. '|' .. message_type .. '|' .. frame)
  return string.sub(fingerprint, 1, 12),
    cjson.encode({short(handler), named and 1 or 0, short(error_type), short(message_type)})
end
`;

/**
 * Lua: a book is what `<dlq>:groups` says, and what is to be changed of it. `open_book(dlq, groups)`,
 * `raise(book, id, text)`, `lower(book, id, text)`, `close(book)`; `is_at_end(book)` is asked before an entry
 * is added that is then raised. All but the first are called by `in_book`, which drops the counts where one
 * fails.
 */
export const BOOK = `${BELOW}${FAILURE_OF}
local function is_behind(id, other)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_n = string.match(other, '^(%d+)-(%d+)$')
  return below(other_ms, ms) or (ms == other_ms and below(other_n, n))
end

local function text_of(entry)
  for f = 1, #entry[2], 2 do if entry[2][f] == 'data' then return entry[2][f + 1] end end
  return ''
end

local function number(value) return string.format('%.0f', value) end

local function open_book(dlq, groups)
  -- Without a key for them: it is no queue, and nothing is counted.
  local kept = groups and redis.pcall('HGET', groups, 'counted') or not groups and {}
  if type(kept) == 'table' then return {dlq = dlq, key = groups, refused = true, upto = '0-0', total = 0} end
  local id, total, names = string.match(kept or '', '^(%d+%-%d+) (%d+) (%d+)$')
  return {
    dlq = dlq, key = groups, upto = id or '0-0', total = tonumber(total or 0), names = tonumber(names or 0), seen = {}
  }
end

local function is_at_end(book)
  if book.refused then return false end
  local found = redis.pcall('XRANGE', book.dlq, '(' .. book.upto, '+', 'COUNT', 1)
  return not found.err and #found == 0
end

local function group_in(book, name)
  if book.seen[name] == nil then
    local text = redis.call('HGET', book.key, name)
    local count, first, last, facts = string.match(text or '', '^(%d+) (%d+) (%d+) (.*)$')
    book.seen[name] = count and
      {count = tonumber(count), first = tonumber(first), last = tonumber(last), facts = facts} or {count = 0}
  end
  return book.seen[name]
end

local function is_full(book)
  -- Who is not told apart is told apart again once none of the others is left: each is lowered where it was
  -- raised.
  if group_in(book, '${OTHER}').count > 0 then return true end
  return book.names >= ${MOST_GROUPS}
end

local function raise(book, id, text)
  local name, facts = failure_of(text)
  local group = group_in(book, name)
  if group.count == 0 then
    if is_full(book) then
      group, facts = group_in(book, '${OTHER}'), '[]'
    else
      book.names = book.names + 1
    end
  end
  local ms = tonumber(string.match(id, '^(%d+)'))
  if group.count == 0 then group.first, group.last, group.facts = ms, ms, facts end
  group.count, group.last = group.count + 1, math.max(group.last, ms)
  book.total, book.upto, book.changed = book.total + 1, id, true
end

local function lower(book, id, text)
  if book.refused or is_behind(id, book.upto) then return end
  book.lowered = true
  local group = group_in(book, (failure_of(text)))
  if group.count == 0 then group = group_in(book, '${OTHER}') end
  if group.count == 1 and group ~= book.seen['${OTHER}'] then book.names = math.max(0, book.names - 1) end
  group.count = math.max(0, group.count - 1)
  book.total, book.changed = math.max(0, book.total - 1), true
end

local function close(book)
  if not book.changed then return end
  if book.total == 0 and redis.call('XLEN', book.dlq) == 0 then
    redis.call('DEL', book.key)
    return
  end
  local gone, kept = {}, {'counted', table.concat({book.upto, number(book.total), number(book.names)}, ' ')}
  for name, group in pairs(book.seen) do
    if group.count > 0 then
      kept[#kept + 1] = name
      kept[#kept + 1] = table.concat({number(group.count), number(group.first), number(group.last), group.facts}, ' ')
    elseif redis.call('HGET', book.key, name) then
      gone[#gone + 1] = name
    end
  end
  if #gone > 0 then redis.call('HDEL', book.key, unpack(gone)) end
  redis.call('HSET', book.key, unpack(kept))
end

local function in_book(book, work)
  if book.refused then return end
  if not pcall(work) then
    -- What is added and not counted is behind those that are; what is gone and was counted cannot be told any more.
    if book.lowered then redis.pcall('DEL', book.key) end
    book.refused, book.total = true, 0
  end
end
`;

/**
 * Lua: `add(book, ...)` is XADD of these fields to the book's queue, counted. Returns the id, or the error.
 */
export const ADD = `${BOOK}
local function add(book, ...)
  local at_end = is_at_end(book)
  local id = redis.pcall('XADD', book.dlq, '*', ...)
  if type(id) == 'string' and at_end then
    local text = text_of({id, {...}})
    in_book(book, function() raise(book, id, text) end)
  end
  return id
end
local function close_book(book) in_book(book, function() close(book) end) end
`;

/** Letters that are read at once: they may be large. */
export const READ_AT_ONCE = 8;
/** Bytes of texts after which a script lets others have their turn. */
export const MOST_BYTES = 1_048_576;

/**
 * Counts letters behind those that are counted. Where all are, and they are not as many as the queue has,
 * because an older server has removed some, all is forgotten, to be counted again. Keys: queue, groups.
 * Argument: most letters. Returns how many were counted, and 1 if there may be more.
 */
export const countOn = new Script(`${BOOK}
local book = open_book(KEYS[1], KEYS[2])
if book.refused then return {0, 0} end
local most, counted, bytes, more = tonumber(ARGV[1]), 0, 0, 1
in_book(book, function()
  while counted < most and bytes < ${MOST_BYTES} do
    local step = math.min(${READ_AT_ONCE}, most - counted)
    local found = redis.call('XRANGE', KEYS[1], '(' .. book.upto, '+', 'COUNT', step)
    for _, entry in ipairs(found) do
      local text = text_of(entry)
      raise(book, entry[1], text)
      counted, bytes = counted + 1, bytes + #text
    end
    if #found < step then
      more = 0
      break
    end
  end
  close(book)
end)
if book.refused then return {0, 0} end
if counted == 0 and more == 0 and book.total ~= redis.call('XLEN', KEYS[1]) then
  redis.call('DEL', KEYS[2])
  more = 1
end
return {counted, more}
`);

/**
 * What a queue holds, at one moment. Keys: queue, groups, notes. Returns its length, the ids of its first and
 * last entry (without their texts, which may be large; empty where it has none), and both hashes.
 */
export const figures = new Script(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return {
  redis.call('XLEN', KEYS[1]), first and first[1] or '', last and last[1] or '',
  redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])
}
`);

/**
 * Keeps a note, or removes it where the text is empty. Keys: groups, notes. Arguments: fingerprint, text, most
 * notes. Returns 1, 0 where there is neither such a group nor a note on it, -1 where there are too many.
 */
export const note = new Script(`
if not redis.call('HGET', KEYS[1], ARGV[1]) and not redis.call('HGET', KEYS[2], ARGV[1]) then return 0 end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
  return 1
end
local notes = #redis.call('HGETALL', KEYS[2]) / 2
if notes >= tonumber(ARGV[3]) and not redis.call('HGET', KEYS[2], ARGV[1]) then return -1 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
`);
