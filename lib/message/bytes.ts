/**
 * Bytes of others as text. What is not UTF-8 cannot be text, and to replace its characters would lose it: it
 * becomes `{"base64":"…"}`, which is no message, and which a dead letter and its replays keep (SEC-3).
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";

const REPLACED = "\ufffd";
const BASE64 = /^\{"base64":"[A-Za-z0-9+/]*={0,2}"\}$/;

/** Returns the text that `bytes` are in UTF-8, else `{"base64":"<the bytes>"}`. */
export function textOfBytes(bytes: Uint8Array): string {
  // The driver's are Buffers already, and a view of each message costs as much as its text.
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  // A replaced character is in every text that was no UTF-8, and in few others.
  return text.includes(REPLACED) && !isUtf8(buffer) ? `{"base64":"${buffer.toString("base64")}"}` : text;
}

/** Whether `text` stands for bytes that are not UTF-8. */
export function standsForBytes(text: string): boolean {
  return text.startsWith('{"base64":') && BASE64.test(text);
}
