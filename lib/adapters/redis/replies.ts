/**
 * From the driver's raw replies to entries, in one pass: what nobody looks at (the stream's name, the field's
 * name) never becomes a string (design 11).
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { entryText, TextBudget } from "../entry_text.ts";
import type { GroupInfo, StreamEntry, TextLimits } from "../ports.ts";
import type { Redis } from "ioredis";
import type { StreamKey } from "./keys.ts";

// What Redis knows of the groups of a stream.

/**
 * Every group; none where the stream does not exist. `lag` is null where Redis lost count (delivery 8) and there
 * is something behind what was delivered last: where the rest was deleted, it is known to be nothing.
 */
export async function groupsOf(client: Redis, key: StreamKey): Promise<readonly GroupInfo[]> {
  const [length, groups] = await Promise.all([
    client.xlen(key),
    client.xinfo("GROUPS", key).catch(nothingThere),
  ]);
  const all = (groups as readonly unknown[]).map(pairs);
  const uncounted = all.filter(({ lag }) => typeof lag !== "number");
  const atEnd = await thoseAtEnd(client, key, uncounted.map((facts) => String(facts["last-delivered-id"])));
  return all.map((facts) => {
    const uncountedLag = atEnd.has(String(facts["last-delivered-id"])) ? 0 : null;
    return {
      group: String(facts["name"]),
      length,
      lag: typeof facts["lag"] === "number" ? facts["lag"] : uncountedLag,
      pending: Number(facts["pending"]),
      consumers: Number(facts["consumers"]),
      lastDeliveredId: String(facts["last-delivered-id"]),
    };
  });
}

/** Ids behind which the stream holds nothing. */
async function thoseAtEnd(
  client: Redis,
  key: StreamKey,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const looked = await Promise.all([...new Set(ids)].map(async (id) => {
    const next = await client.xrange(key, `(${id}`, "+", "COUNT", 1);
    return next.length === 0 ? [id] : [];
  }));
  return new Set(looked.flat());
}

/** For a reply that is about a stream or a group that may not be there: then there is nothing. */
export function nothingThere(error: Error): [] {
  if (error.message.startsWith("NOGROUP") || error.message === "ERR no such key") return [];
  throw error;
}

/** `[id, [field, value, …]]`. */
type RawEntry = readonly [Buffer, readonly Buffer[]];

const NONE: readonly StreamEntry[] = [];

/** The reply of XREADGROUP on one stream, read as buffers; null is "nothing came". */
export function entriesRead(
  reply: unknown,
  limits: TextLimits,
): readonly StreamEntry[] | Promise<readonly StreamEntry[]> {
  if (reply === null) return NONE;
  const [[, entries]] = reply as readonly [readonly [Buffer, readonly RawEntry[]]];
  return entriesOf(entries, new TextBudget(limits));
}

/** The reply of XRANGE or XREVRANGE, read as buffers. */
export function entriesRanged(
  reply: unknown,
  budget: TextBudget,
): readonly StreamEntry[] | Promise<readonly StreamEntry[]> {
  return entriesOf(reply as readonly RawEntry[], budget);
}

/** A promise only where a text is too large: that is rare, and this is the way of every message. */
function entriesOf(
  raw: readonly RawEntry[],
  budget: TextBudget,
): readonly StreamEntry[] | Promise<readonly StreamEntry[]> {
  let waits = false;
  const entries = raw.map(([rawId, fields]): StreamEntry | Promise<StreamEntry> => {
    const id = rawId.toString("latin1");
    const value = valueOf(fields);
    if (!value) return { id, data: undefined };
    const text = entryText(value, budget);
    if (typeof text === "string") return { id, data: text };
    waits ||= text instanceof Promise;
    return text instanceof Promise ? text.then((found) => ({ id, ...found })) : { id, ...text };
  });
  return waits ? Promise.all(entries) : entries as readonly StreamEntry[];
}

/** The field `data`, wherever it stands (wire 2.1). */
function valueOf(fields: readonly Buffer[]): Buffer | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at];
    if (name?.length === 4 && name[0] === 100 && name[1] === 97 && name[2] === 116 && name[3] === 97) {
      return fields[at + 1];
    }
  }
  return undefined;
}

/** A reply of pairs, `[name, value, name, value, …]`, as XINFO answers. */
export function pairs(reply: unknown): Readonly<Record<string, unknown>> {
  const list = reply as readonly unknown[];
  const record: Record<string, unknown> = {};
  for (let at = 0; at + 1 < list.length; at += 2) record[String(list[at])] = list[at + 1];
  return record;
}
