/**
 * Entries by the size of their texts, as they are taken in.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { StreamEntry } from "../adapters/ports.ts";
import { standsForBytes } from "../message/bytes.ts";
import { checksumOf } from "../message/checksum.ts";
import { KEPT_BYTES } from "../message/dead_letter.ts";
import { cut } from "../message/describe_error.ts";
import { isLarger } from "../message/envelope.ts";

/** `{"base64":""}` and what fills the last group up. */
const BASE64_EXTRA = 16;

/** An entry as it is taken in: no adapter has to look at sizes, but no text beyond `most` goes further. */
export function bounded(entry: StreamEntry, most: number): StreamEntry {
  const { id, data, tooLarge } = entry;
  if (tooLarge || data === undefined || !isLarger(data, most)) return entry;
  // In the broker they had three quarters of it, and nothing else keeps them.
  if (standsForBytes(data) && !isLarger(data, Math.ceil(most * 4 / 3) + BASE64_EXTRA)) return entry;
  const whole = { bytes: Buffer.byteLength(data), sha256: checksumOf(data) };
  return { id, data: cut(data, KEPT_BYTES), tooLarge: whole };
}

/** The size of what came, where it was left out too, in bytes or less. */
export function sizeOf(entries: readonly StreamEntry[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data?.length ?? entry.omitted ?? 0;
  return size;
}
