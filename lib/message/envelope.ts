/**
 * The envelope: one JSON object `{"data":…,"metadata":…}` per message (spec: wire 1.1, 1.3). Reading it is
 * the hot path: parsed once, verified by its raw text where the text is ours.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DeserializationError } from "../errors.ts";
import { standsForBytes } from "./bytes.ts";
import { isObjectText } from "./canonical_text.ts";
import { checksumMatches } from "./checksum.ts";
import { keepsBigints } from "./exact_numbers.ts";
import { memberText } from "./json_text.ts";
import { LARGE_TEXT, noteLarge } from "./large_data.ts";
import { isJsonObject, type JsonObject, parseExactJson } from "./parse.ts";
import { readMetadata } from "./read_metadata.ts";
import type { Message } from "./types.ts";

/**
 * Size limit of a message that is read, in bytes of UTF-8 (SEC-3): 8 MiB, the default of
 * `max_received_bytes`.
 */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
/** Size limit of a message that is sent, in bytes of UTF-8: 1 MiB, the default of `max_message_bytes`. */
export const MAX_SENT_BYTES = 1024 * 1024;

/**
 * Text of a message for a broker's field `data`, from what outbox rows have: canonical payload, metadata as
 * JSON. The payload comes first and without spaces, so that a reader can hash it where it stands.
 */
export function encodeRaw(data: string, metadataJson: string): string {
  return `{"data":${data},"metadata":${metadataJson}}`;
}

/**
 * Reads a broker's field `data` (undefined: the entry has none) and verifies its checksum, if it carries one.
 * The metadata has every key and no others, whoever wrote it; `_dlq_metadata` and other top-level keys are
 * passed over.
 *
 * Throws `DeserializationError` saying what is wrong: such a message is dead-lettered once and never retried
 * (PIPE-5).
 */
export function decodeMessage(text: string | undefined, maxBytes: number = MAX_MESSAGE_BYTES): Message {
  return verified(text, readMessage(text, maxBytes));
}

/**
 * The first half of `decodeMessage`, without the checksum: of a large message each half takes so long that
 * others should have their turn in between. Throws as it does.
 */
export function readMessage(text: string | undefined, maxBytes: number = MAX_MESSAGE_BYTES): Message {
  if (text === undefined) throw new DeserializationError("The entry has no field 'data'.");
  if (isLarger(text, maxBytes)) {
    throw new DeserializationError(`The message is larger than the limit of ${maxBytes} bytes.`);
  }
  const whole = objectIn(text);
  const { data, metadata } = whole;
  if (metadata === undefined) {
    throw new DeserializationError(
      standsForBytes(text) ? "The message's bytes are not UTF-8." : "The message has no 'metadata'.",
    );
  }
  if (!isJsonObject(metadata)) throw new DeserializationError("The message's 'metadata' is not an object.");
  if (data === undefined) throw new DeserializationError("The message has no 'data'.");
  if (!isJsonObject(data)) throw new DeserializationError("The message's 'data' is not an object.");
  if (text.length > LARGE_TEXT) noteLarge(data);
  return { data: keepsBigints(data, whole), metadata: readMetadata(metadata) };
}

/**
 * `metadata.headers.stream` of a message, found without making a value of the message, for one that nobody
 * dares to decode yet. Empty where it has none, or is no message. Never throws.
 */
export function streamIn(text: string | undefined): string {
  if (text === undefined || !isObjectText(text)) return "";
  let at: string | undefined = text;
  for (const key of ["metadata", "headers"]) {
    at = memberText(at, key);
    if (!at?.startsWith("{")) return "";
  }
  const stream = memberText(at, "stream");
  return stream?.startsWith('"') ? JSON.parse(stream) : "";
}

/**
 * Whether a text has more bytes of UTF-8 than `maxBytes`. Each UTF-16 unit takes one to three: counting them
 * is seldom needed.
 */
export function isLarger(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

function objectIn(text: string): JsonObject {
  const parsed = parseExactJson(text);
  if (!isJsonObject(parsed)) throw new DeserializationError("The message is not a JSON object.");
  return parsed;
}

/** The other half: `message`, which was read from `text`, if it matches its checksum. */
export function verified(text: string | undefined, message: Message): Message {
  const { data, metadata } = message;
  const { checksum } = metadata.envelope;
  if (checksum === null || matches(text ?? "", data, checksum)) return message;
  const { id, type } = metadata.headers;
  throw new DeserializationError(
    `Message '${id}' (${type}) does not match its checksum: its data was changed after it was written.`,
  );
}

function matches(text: string, data: JsonObject, checksum: string): boolean {
  try {
    return checksumMatches(text, data, checksum);
  } catch (cause) {
    throw new DeserializationError("The message's checksum cannot be computed from its data.", { cause });
  }
}
