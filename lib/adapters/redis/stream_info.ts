/**
 * What Redis knows of the groups of a stream.
 *
 * @module
 */
import type { Redis } from "ioredis";
import type { GroupInfo } from "../ports.ts";
import { pairs } from "./replies.ts";

/** Every group; none where the stream does not exist. `lag` is null where Redis lost count (delivery 8). */
export async function groupsOf(client: Redis, stream: string): Promise<readonly GroupInfo[]> {
  const [length, groups] = await Promise.all([
    client.xlen(stream),
    client.xinfo("GROUPS", stream).catch(noneWithoutStream),
  ]);
  return (groups as readonly unknown[]).map((group) => {
    const facts = pairs(group);
    return {
      group: String(facts["name"]),
      length,
      lag: typeof facts["lag"] === "number" ? facts["lag"] : null,
      pending: Number(facts["pending"]),
      consumers: Number(facts["consumers"]),
      lastDeliveredId: String(facts["last-delivered-id"]),
    };
  });
}

function noneWithoutStream(error: Error): readonly unknown[] {
  if (error.message === "ERR no such key") return [];
  throw error;
}
