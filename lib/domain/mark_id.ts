/**
 * What an idempotency mark is keyed by (delivery 10).
 *
 * @module
 */
import type { Message } from "../message/types.ts";

/**
 * `headers.id`, which is unique to its message; but for commands whose id is only the id part of their stream, as Python
 * writes them, the broker's id or the position in the event store. Where neither is known, their time makes the difference.
 */
export function markId({ metadata }: Message, brokerId?: string): string {
  const { id, stream, time } = metadata.headers;
  if (metadata.domain.kind !== "COMMAND" || stream.slice(stream.indexOf("-") + 1) !== id) return id;
  return brokerId ?? String(metadata.event_store?.global_position ?? `${id}@${time}`);
}
