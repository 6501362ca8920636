/**
 * Takes entries over without counting (delivery 2), each only if the consumer named still owns it and left it alone long enough.
 *
 * Arguments: group, new consumer, least idle time in ms, then pairs of id and present owner. Answers `{id, count, data}` for each
 * that was taken, `{id, count}` for those that the stream no longer holds: they leave the pending list (PIPE-7). `data` is
 * false where the entry has no such field.
 *
 * @module
 */
import { Script } from "../script.ts";
import { PENDING_ENTRY } from "./pending_entry.ts";

export const claim = new Script(`${PENDING_ENTRY}
local function data_of(fields)
  for f = 1, #fields, 2 do
    if fields[f] == 'data' then return fields[f + 1] end
  end
  return false
end

local claimed = {}
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local held = pending_entry(id, ARGV[i + 1])
  if held and held[3] >= tonumber(ARGV[3]) then
    -- Drops the entry from the pending list if the stream no longer holds it.
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    claimed[#claimed + 1] = entry and {id, held[4], data_of(entry[2])} or {id, held[4]}
  end
end
return claimed
`);
