/**
 * The Lua scripts of locks.
 *
 * @module
 */
import { Script } from "./scripts.ts";

// Locks. Whoever has the token is the holder. Keys: the lock. Arguments: token, time to live in ms.

/** Returns 1, or 0 while somebody else holds it. */
export const takeLock = new Script(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/**
 * Returns 1, or 0 when it is not the holder's any more. One that has expired is not taken again: somebody may
 * have had it since.
 */
export const renewLock = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`);

/** Leaves another's alone. */
export const dropLock = new Script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);
