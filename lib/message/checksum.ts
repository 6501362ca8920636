/**
 * Checksums of payloads: SHA-256 over canonical JSON (spec: wire 1.7).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { canonicalJson, canonicalText } from "./canonical.ts";
import { mayHoldLongInteger } from "./exact_numbers.ts";
import { memberText } from "./json_text.ts";

/** SHA-256 of canonical text, as 64 lower-case hexadecimal digits. */
export function checksumOf(canonical: string): string {
  // node:crypto with a string: a fiftieth of what WebCrypto costs at this size (platform: Redis).
  return createHash("sha256").update(canonical, "utf8").digest("hex");
}

const OUR_START = '{"data":{';
const OUR_METADATA = ',"metadata":{';

/**
 * In JSON text: a number with a fraction of zeros (`10.0`) or an exponent, a float that parsing may turn into
 * an int.
 */
const FLOAT_OR_INT = /\d(?:\.0+|[eE][+-]?\d+)[\s,\]}]/;
/** From here on the text itself is read: rendering a value takes the longer the deeper it is nested. */
const LARGE = 64 * 1024;

/**
 * Whether `checksum` is that of the payload in `text`, a whole message whose parsed payload is `data`.
 * Cheapest first: text of ours holds the canonical payload as it is; else the parsed payload is rendered;
 * only where parsing has changed numbers are the text's own lexemes read. (The patterns may match inside a
 * string, which costs time and nothing else.)
 *
 * Throws `ValidationError` or `DeserializationError` for a payload nested too deep to be rendered.
 */
export function checksumMatches(text: string, data: unknown, checksum: string): boolean {
  return matchesAsWritten(text, checksum) || matchesAsParsed(text, data, checksum) ||
    checksumOf(canonicalText(memberText(text, "data") ?? "null")) === checksum;
}

function matchesAsWritten(text: string, checksum: string): boolean {
  if (!text.startsWith(OUR_START)) return false;
  const end = text.indexOf(OUR_METADATA, OUR_START.length);
  return end > 0 && isAlone(text, end + OUR_METADATA.length) &&
    checksumOf(text.slice('{"data":'.length, end)) === checksum;
}

/**
 * Whether no other `data` or `metadata` follows, which might be the one that parsers take, spelled with an
 * escape perhaps. Then the mark found is the message's own and not one inside its payload.
 */
function isAlone(text: string, from: number): boolean {
  return !text.includes("\\", from) && !text.includes('data"', from);
}

function matchesAsParsed(text: string, data: unknown, checksum: string): boolean {
  if (text.length > LARGE || FLOAT_OR_INT.test(text)) return false;
  const canonical = canonicalJson(data);
  return !mayHoldLongInteger(canonical) && checksumOf(canonical) === checksum;
}
