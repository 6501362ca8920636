/**
 * The Lua script that feeds a replay lane.
 *
 * @module
 */
import { OPERATION_KEPT_MS } from "../ports.ts";
import { MUST_BE_ALLOWED, Script } from "./scripts.ts";

/**
 * Appends texts and moves a mark, so that nothing is appended twice. Keys: lane, its marks. Arguments: group, id
 * of the mark, where it has to stand, where it stands then, texts. Returns where the mark stands; a list with the
 * error where the lane refuses them.
 */
export const feed = new Script(`${MUST_BE_ALLOWED}
local at = redis.call('HGET', KEYS[2], ARGV[2]) or ''
if at ~= ARGV[3] then return at end
if #ARGV > 4 then
  must_be_allowed('XADD', KEYS[1], '*', 'data', '')
  local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
  if created.err and string.sub(created.err, 1, 9) ~= 'BUSYGROUP' then return {created} end
  for i = 5, #ARGV do redis.call('XADD', KEYS[1], '*', 'data', ARGV[i]) end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ${OPERATION_KEPT_MS})
return ARGV[4]
`);
