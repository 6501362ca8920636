/**
 * Moving and dropping dead letters.
 *
 * @module
 */
import { Script } from "../script.ts";

/**
 * Moves one entry, fields as they are, to the end of a replay lane, whose group is created at 0 if missing; it is in exactly one
 * place at every moment (delivery 19, DLQ-5). Keys: dead-letter stream, lane. Arguments: id, group. Answers 1, or 0 when the
 * entry is not there (any more).
 */
export const replay = new Script(`
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
local created = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
if created.err and string.sub(created.err, 1, 9) ~= 'BUSYGROUP' then return created end
redis.call('XADD', KEYS[2], '*', unpack(found[1][2]))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`);

/** Drops a stream whole and answers how many entries it had. The memory is freed in the background. */
export const purge = new Script(`
local length = redis.call('XLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
return length
`);
