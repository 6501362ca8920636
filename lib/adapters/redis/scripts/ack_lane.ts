/**
 * Acknowledges on a replay lane: the entries go, and the stream goes with the last of them (delivery 19).
 *
 * Arguments: group, id…. Answers how many were pending.
 *
 * @module
 */
import { Script } from "../script.ts";

/** Lua: `leave_lane(id)` removes the entry, and the lane when it was the last one. */
export const LEAVE_LANE = `
local function leave_lane(id)
  redis.call('XDEL', KEYS[1], id)
  if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
end
`;

export const ackLane = new Script(`${LEAVE_LANE}
local acknowledged = 0
for i = 2, #ARGV do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    acknowledged = acknowledged + 1
    leave_lane(ARGV[i])
  end
end
return acknowledged
`);
