/**
 * What operators ask of a group, and how they remove one.
 *
 * @module
 */
import type { Redis } from "ioredis";
import type { GroupAges } from "../ports.ts";
import type { StreamKey } from "./keys.ts";
import { nothingThere } from "./replies.ts";
import { Script } from "./scripts.ts";

// The first entry that a group was not given, and the first that is pending: the ids alone, for the texts may
// be large.
//
// Key: the stream. Argument: the group. Returns both ids, `''` where there is none; nil without the group.
const firstWaiting = new Script(`
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then
  if groups.err == 'ERR no such key' then return false end
  return groups
end
for _, facts in ipairs(groups) do
  local found, last = false, '0-0'
  for at = 1, #facts, 2 do
    if facts[at] == 'name' then found = facts[at + 1] == ARGV[1] end
    if facts[at] == 'last-delivered-id' then last = facts[at + 1] end
  end
  if found then
    local next = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)[1]
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
    return { next and next[1] or '', pending[2] or '' }
  end
end
return false
`);

/** Undefined: there is no such group. */
export async function groupAges(
  client: Redis,
  key: StreamKey,
  group: string,
): Promise<GroupAges | undefined> {
  const reply = await firstWaiting.run(client, [key], [group]) as readonly [string, string] | null;
  return reply ? { undeliveredSince: epochMs(reply[0]), pendingSince: epochMs(reply[1]) } : undefined;
}

// Key: the stream. Arguments: the id behind which is counted, and the most. The texts stay on the server.
const countBehind = new Script(
  "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])",
);

/** Entries behind `id`, `most` at most. */
export async function countAfter(client: Redis, key: StreamKey, id: string, most: number): Promise<number> {
  return Number(await countBehind.run(client, [key], [id, most]));
}

/** False: there was no such group. */
export async function dropGroup(client: Redis, key: StreamKey, group: string): Promise<boolean> {
  const dropped = await client.xgroup("DESTROY", key, group).catch((error: Error) => {
    // What XGROUP says where the stream is missing.
    if (error.message.startsWith("ERR The XGROUP subcommand requires the key to exist")) return 0;
    return nothingThere(error);
  });
  return Number(dropped) === 1;
}

function epochMs(id: string): number | undefined {
  return id === "" ? undefined : Number(id.split("-")[0]);
}
