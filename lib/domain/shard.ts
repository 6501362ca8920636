/**
 * Which shard of the outbox a stream belongs to (delivery 9). The number is stored with each row, so this function must
 * never change: rows of one stream in two shards could be published out of order.
 *
 * @module
 */
const encoder = new TextEncoder();

/**
 * 0 to 15 (`OUTBOX_SHARDS`): the 32-bit FNV-1a hash of the stream's name in UTF-8, mixed once more (`h ^= h >>> 16`,
 * `h *= 0x85ebca6b`) because streams that differ in their last digit alone would share the top bits, and of that the top four.
 */
export function shardOf(stream: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(stream)) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 28;
}
