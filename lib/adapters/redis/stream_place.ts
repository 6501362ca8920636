/**
 * One consumer's place on a stream, and the two commands that every way of reading shares.
 *
 * @module
 */
import type { Redis } from "ioredis";
import type { StreamEntry } from "../ports.ts";
import type { StreamKey } from "./keys.ts";
import { entriesRead } from "./replies.ts";
import { ackLane } from "./scripts.ts";

export interface StreamPlace {
  /** Its name, for what people read. */
  readonly stream: string;
  readonly key: StreamKey;
  readonly group: string;
  readonly consumer: string;
  /** Entries go when they are acknowledged, and a missing stream reads as empty (delivery 19). */
  readonly lane: boolean;
  /** See `TextLimits`. */
  readonly maxEntryBytes: number | undefined;
}

/** Returns how many were pending. */
export async function acknowledge(
  client: Redis,
  place: StreamPlace,
  ids: readonly string[],
): Promise<number> {
  const { key, group, lane } = place;
  return lane
    ? Number(await ackLane.run(client, [key], [group, ...ids]))
    : await client.xack(key, group, ...ids);
}

export interface Batch {
  /** Makes the consumer known: before Redis 7.2 a read that finds nothing does not. */
  readonly announce: boolean;
  readonly count: number;
  /** 0: do not block. BLOCK 0, which never ends, is never sent (PIPE-10). */
  readonly blockMs: number;
  readonly ack: readonly string[];
  /** See `TextLimits`. */
  readonly maxBytes: number | undefined;
  /** Told when `ack` is done, which may be long before the read is. */
  readonly acknowledged: () => void;
}

/** XACK and XREADGROUP, written together. Returns the reply for `entriesIn`. Rejects if either fails. */
export async function readBatch(
  client: Redis,
  place: StreamPlace,
  batch: Batch,
): Promise<unknown> {
  const { count, blockMs, ack, announce } = batch;
  const block = blockMs > 0 ? ["BLOCK", Math.ceil(blockMs)] : [];
  // Not awaited one by one: both must be written before the first answer.
  const acknowledged = ack.length > 0
    ? acknowledge(client, place, ack).then(batch.acknowledged)
    : batch.acknowledged();
  // Whatever is wrong with it, the read tells.
  if (announce) client.xgroup("CREATECONSUMER", place.key, place.group, place.consumer).catch(() => {});
  const reply = client.callBuffer("XREADGROUP", [
    ...["GROUP", place.group, place.consumer, "COUNT", Math.max(1, count)],
    ...block,
    ...["STREAMS", place.key, ">"],
  ]);
  return (await Promise.all([reply, acknowledged]))[0];
}

/** What `readBatch` has brought: read outside of the command, whose connection is watched for silence. */
export async function entriesIn(
  reply: unknown,
  { maxEntryBytes }: StreamPlace,
  { maxBytes }: Pick<Batch, "maxBytes">,
): Promise<readonly StreamEntry[]> {
  return await entriesRead(reply, { maxEntryBytes, maxBytes });
}
