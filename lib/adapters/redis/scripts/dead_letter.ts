/**
 * Moves an entry to the dead letters: written there and acknowledged here, or neither (delivery 18).
 *
 * Keys: stream, dead-letter stream. Arguments: group, consumer, id, data, '1' for a lane. Answers 1, or 0 when this consumer does
 * not own the entry.
 *
 * @module
 */
import { Script } from "../script.ts";
import { LEAVE_LANE } from "./ack_lane.ts";
import { PENDING_ENTRY } from "./pending_entry.ts";

export const deadLetter = new Script(`${PENDING_ENTRY}${LEAVE_LANE}
local id = ARGV[3]
if not pending_entry(id, ARGV[2]) then return 0 end
redis.call('XADD', KEYS[2], '*', 'data', ARGV[4])
redis.call('XACK', KEYS[1], ARGV[1], id)
if ARGV[5] == '1' then leave_lane(id) end
return 1
`);
