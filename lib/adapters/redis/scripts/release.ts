/**
 * Hands entries back so that anyone claims them at once (delivery 7).
 *
 * Arguments: group, consumer, then pairs of id and count. Entries of others are left alone.
 *
 * @module
 */
import { Script } from "../script.ts";
import { PENDING_ENTRY } from "./pending_entry.ts";

/** Older than any claim threshold. */
const RELEASED_IDLE_MS = 86_400_000;

export const release = new Script(`${PENDING_ENTRY}
for i = 3, #ARGV, 2 do
  if pending_entry(ARGV[i], ARGV[2]) then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'IDLE', ${RELEASED_IDLE_MS}, 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  end
end
return 1
`);
