import { encodeRaw } from "../../lib/message/envelope.ts";
import type { MessageMetadata } from "../../lib/message/types.ts";

/** Text of a broker's field `data`, as the outbox publishes it: canonical payload, metadata as JSON. */
export function encodeMessage(
  { data, metadata }: { readonly data: string; readonly metadata: MessageMetadata },
): string {
  return encodeRaw(data, JSON.stringify(metadata));
}
