/**
 * The question that every script about an owned entry begins with (delivery 1). KEYS[1] is the stream, ARGV[1] the group.
 *
 * @module
 */

/** Lua: `pending_entry(id, consumer)` answers `{id, consumer, idle, count}`, or nil when that consumer does not own it. */
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
