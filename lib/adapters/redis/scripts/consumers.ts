/**
 * Removing consumers (PIPE-9). XGROUP DELCONSUMER drops what is pending for good, so each is looked at in the same step.
 *
 * @module
 */
import { Script } from "../script.ts";

/** Arguments: group, consumer. Answers 1 if the consumer is gone, 0 if it has something pending. */
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

/** Arguments: group, consumer to spare, least idle time in ms. Answers the names of the consumers removed. */
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
  if facts.name ~= ARGV[2] and facts.pending == 0 and facts.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
    gone[#gone + 1] = facts.name
  end
end
return gone
`);
