/**
 * Retention as a soft cap (delivery 8, PIPE-8): nothing goes that any group has not read, or has read and not acknowledged.
 *
 * Arguments: greatest length, most entries to drop in one call. Answers how many went. The bound is the lowest, over all groups,
 * of the first pending id and the id after the last one delivered; a stream without groups is left alone. Redis drops whole
 * nodes of the stream (100 entries), never more than it was allowed to.
 *
 * @module
 */
import { Script } from "../script.ts";

export const trim = new Script(`
local excess = math.min(redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1]), tonumber(ARGV[2]))
if excess < 1 then return 0 end

local low_ms, low_n
local function needed(id, step)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  ms, n = tonumber(ms), tonumber(n) + step
  if not low_ms or ms < low_ms or (ms == low_ms and n < low_n) then low_ms, low_n = ms, n end
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

return redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f-%.0f', low_ms, low_n), 'LIMIT', excess)
`);
