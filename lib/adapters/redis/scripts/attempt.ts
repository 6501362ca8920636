/**
 * Counts a started attempt (delivery 2).
 *
 * Arguments: group, consumer, id. Answers the new count, or nil when the entry is not ours: another consumer's, nobody's, or
 * trimmed away under us.
 *
 * @module
 */
import { Script } from "../script.ts";
import { PENDING_ENTRY } from "./pending_entry.ts";

export const attempt = new Script(`${PENDING_ENTRY}
local mine = pending_entry(ARGV[3], ARGV[2])
if not mine then return nil end
local count = mine[4] + 1
-- As XCLAIM without JUSTID would, but without loading the entry.
local kept = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', count, 'JUSTID')[1]
return kept and count
`);
