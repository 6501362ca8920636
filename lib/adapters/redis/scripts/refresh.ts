/**
 * Keeps entries ours: resets their idle time, never raises a count (delivery 1).
 *
 * Arguments: group, consumer, id…. Answers the ids that are not ours: another consumer's, nobody's, or trimmed away under us;
 * those last ones XCLAIM drops from the pending list.
 *
 * @module
 */
import { Script } from "../script.ts";
import { PENDING_ENTRY } from "./pending_entry.ts";

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
