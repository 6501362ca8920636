/**
 * Messages of other systems: any JSON object on a broker's stream, with or without Protean's metadata (wire
 * 10.6). Whatever of it looks like Protean's informs; none of it is needed, and none of it is verified.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DeserializationError } from "../errors.ts";
import { standsForBytes } from "./bytes.ts";
import { isLarger } from "./envelope.ts";
import { newCorrelationId } from "./metadata.ts";
import { isJsonObject, type JsonObject, parseExactJson } from "./parse.ts";
import { unstorable } from "./storable.ts";
import type { Message } from "./types.ts";

/** Bytes of the longest id that is taken over from a payload; what is longer is no id of anything. */
const MOST_ID_BYTES = 1024;

/** Where an entry was first read. */
export interface EntryPlace {
  readonly stream: string;
  readonly id: string;
}

/**
 * Reads a broker's field `data` (undefined: the entry has none) as a message whose `data` is the whole object.
 *
 * Its id is the payload's `metadata.headers.id`, else that of the entry. Its correlation id is the payload's
 * `metadata.domain.correlation_id`, else `metadata.correlation_id`, else `correlation_id`, else a new one. Its
 * stream is the payload's `metadata.headers.stream`, else the one it was read from.
 *
 * Throws `DeserializationError` for what is not a JSON object in UTF-8, or has more than `maxBytes` bytes: such
 * an entry is dead-lettered once and never retried (PIPE-5).
 */
export function decodeForeign(
  text: string | undefined,
  maxBytes: number,
  { stream, id }: EntryPlace,
): Message {
  if (text === undefined) throw new DeserializationError("The entry has no field 'data'.");
  if (isLarger(text, maxBytes)) {
    throw new DeserializationError(`The message is larger than the limit of ${maxBytes} bytes.`);
  }
  if (standsForBytes(text)) throw new DeserializationError("The message's bytes are not UTF-8.");
  const data = parseExactJson(text);
  if (!isJsonObject(data)) throw new DeserializationError("The message is not a JSON object.");
  const metadata = tableIn(data, "metadata");
  const headers = tableIn(metadata, "headers");
  const correlationId = idIn(tableIn(metadata, "domain"), "correlation_id") ??
    idIn(metadata, "correlation_id") ?? idIn(data, "correlation_id") ?? newCorrelationId();
  return {
    data,
    metadata: {
      headers: {
        id: idIn(headers, "id") ?? id,
        time: null,
        type: idIn(headers, "type") ?? "",
        stream: idIn(headers, "stream") ?? stream,
        traceparent: null,
        idempotency_key: null,
        deadline: null,
      },
      envelope: { specversion: "1.0", checksum: null },
      domain: {
        fqn: null,
        kind: "BROKER_MESSAGE",
        origin_stream: null,
        stream_category: stream,
        version: 1,
        sequence_id: null,
        asynchronous: true,
        expected_version: null,
        priority: 0,
        correlation_id: correlationId,
        causation_id: null,
      },
      event_store: null,
      extensions: {},
    },
  };
}

function tableIn(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object && Object.hasOwn(object, key) ? object[key] : undefined;
  return isJsonObject(value) ? value : undefined;
}

/** An id as text; undefined where there is none that could be stored with what a handler does. */
function idIn(object: JsonObject | undefined, key: string): string | undefined {
  const value = object && Object.hasOwn(object, key) ? object[key] : undefined;
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (typeof text !== "string" || text === "" || unstorable(text) !== undefined) return undefined;
  return Buffer.byteLength(text) <= MOST_ID_BYTES ? text : undefined;
}
