import { canonicalJson } from "../../lib/message/canonical.ts";
import { checksumOf } from "../../lib/message/checksum.ts";
import { encodeRaw } from "../../lib/message/envelope.ts";
import { eventMetadata } from "../../lib/message/metadata.ts";
import type { MessageMetadata } from "../../lib/message/types.ts";

/** Text of a broker's field `data`, as the outbox publishes it: canonical payload, metadata as JSON. */
export function encodeMessage(
  { data, metadata }: { readonly data: string; readonly metadata: MessageMetadata },
): string {
  return encodeRaw(data, JSON.stringify(metadata));
}

export interface EventToEncode {
  readonly type: string;
  readonly category: string;
  /** The aggregate's id, and which of its events it is. */
  readonly id: string;
  readonly n: number;
  readonly time: number;
  readonly data: unknown;
}

/** Text of an event with its checksum. */
export function encodeEvent({ type, category, id, n, time, data }: EventToEncode): string {
  const text = canonicalJson(data);
  const stream = `${category}-${id}`;
  const checksum = checksumOf(text);
  return encodeMessage({
    data: text,
    metadata: eventMetadata({ id: `${stream}-${n}.1`, time, type, stream, category, checksum }),
  });
}
