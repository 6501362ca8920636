/**
 * The envelope: one JSON object `{"data":…,"metadata":…}` per message (spec: wire 1.1, 1.3).
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import type { Message, OutgoingMessage } from "./types.ts";

/** Size limit of a message that is read, in bytes of UTF-8 (SEC-3): 8 MiB. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Text of a message for a broker's field `data`. */
export function encodeMessage(message: OutgoingMessage): string {
  return encodeRaw(message.data, JSON.stringify(message.metadata));
}

/** The same from texts, as outbox rows have them: canonical payload, metadata as JSON. */
export function encodeRaw(data: string, metadataJson: string): string {
  return `{"data":${data},"metadata":${metadataJson}}`;
}

/** STUB BODY, being written. Throws `DeserializationError`. */
export function decodeMessage(text: string | undefined, _maxBytes: number = MAX_MESSAGE_BYTES): Message {
  if (text === undefined) throw new DeserializationError("The entry has no field 'data'.");
  return JSON.parse(text) as Message;
}
