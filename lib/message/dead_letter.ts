/**
 * Dead letters: the original text with `_dlq_metadata` beside its own keys (spec: wire 2.8, delivery 18).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { standsForBytes } from "./bytes.ts";
import { type DeadLetterParts, putTogether, takeApart } from "./dead_letter_text.ts";
import { cut, describeError } from "./describe_error.ts";
import { memberText } from "./json_text.ts";
import { type JsonObject, parseJson } from "./parse.ts";
import { timeText } from "./time.ts";

/** Longest error text that is kept, in bytes of UTF-8. */
const MAX_ERROR_BYTES = 4096;
/** Longest id or type that is copied out of a message, in bytes of UTF-8: messages may have any. */
const MAX_ID_BYTES = 1024;
/** What is kept of a message that is larger than what is received. */
export const KEPT_BYTES = 64 * 1024;
const NOTHING: JsonObject = Object.freeze({});

/**
 * Bytes that the dead letter of a message of at most `bytes` has at most: as raw text it is escaped, six
 * bytes for one, and `_dlq_metadata` is bounded.
 */
export function largestLetter(bytes: number): number {
  return 6 * bytes + 1024 * 1024;
}

/** What is known when a message is given up. */
export interface DeadLetterFacts {
  /** The stream that it was read from. */
  readonly originalStream: string;
  /** Its id there. */
  readonly originalId: string;
  readonly consumerGroup: string;
  readonly consumer: string;
  /** The handler as declared: `OrderEventHandler`. */
  readonly handler: string;
  /** Attempts made. */
  readonly retryCount: number;
  /** Epoch ms. */
  readonly failedAt: number;
  /** Epoch ms of the first failed attempt. Defaults to that of a replayed entry, else to `failedAt`. */
  readonly firstFailedAt?: number;
  /** What was thrown. */
  readonly error: unknown;
  /** One line for operators. Defaults to `<error type>: <error message>`. */
  readonly reason?: string;
  /** The original is no more than the beginning of a message that was too large to be read. */
  readonly truncated?: Truncation | undefined;
}

/** A text of which no more than the beginning is there. */
export interface Truncation {
  /** Bytes of the whole. */
  readonly bytes: number;
  /** Of the whole, as 64 hexadecimal digits; undefined where nobody has read it to its end. */
  readonly sha256?: string | undefined;
}

/** A dead letter as operators see it. */
export interface DeadLetter {
  readonly originalStream: string;
  readonly originalId: string;
  readonly consumerGroup: string;
  readonly consumer: string | null;
  readonly handler: string | null;
  /** ISO 8601. */
  readonly failedAt: string | null;
  /** ISO 8601. */
  readonly firstFailedAt: string | null;
  /** Attempts made before it was given up. */
  readonly retryCount: number;
  /** How often it was replayed to its group and came back. */
  readonly replayCount: number;
  readonly failureReason: string;
  readonly errorType: string | null;
  readonly errorMessage: string | null;
  readonly errorStack: string | null;
  readonly messageId: string | null;
  readonly messageType: string | null;
  readonly correlationId: string | null;
  /** The original, parsed; undefined where it is not a JSON object. */
  readonly message: Readonly<Record<string, unknown>> | undefined;
  /** The original text, number lexemes and all. */
  readonly text: string;
  /** Bytes of the whole message, where `text` is no more than its beginning: it cannot be replayed. */
  readonly truncatedBytes?: number;
}

/** Where a dead letter was found, for the keys that Python or an older writer left out. */
export interface DeadLetterPlace {
  /** The dead-letter stream: `my_domain::order:dlq`. */
  readonly stream: string;
  /** The entry's id there. */
  readonly id: string;
}

/**
 * Text of the entry for the dead-letter stream. An original that came from there (it was replayed and failed
 * again) has its old `_dlq_metadata` replaced: `first_failed_at` is kept, `replay_count` grows by one. What
 * is not a JSON object (undefined: the entry had no `data`), and what is `truncated`, becomes
 * `{"raw":"<text>","_dlq_metadata":{…}}`. The original is never made a value of. Never throws: what cannot
 * even be copied is cut.
 */
export function renderDeadLetter(original: string | undefined, facts: DeadLetterFacts): string {
  const text = original ?? "";
  if (facts.truncated) return renderCut(text, facts, facts.truncated);
  try {
    return render(takeApart(text), facts);
  } catch {
    // No text is that long: escaped for JSON it is beyond the longest string there can be.
    return renderCut(text, facts, { bytes: Buffer.byteLength(text) });
  }
}

function renderCut(text: string, facts: DeadLetterFacts, truncated: Truncation): string {
  const original = cut(text, KEPT_BYTES);
  return render({ isObject: false, original, metadata: undefined }, { ...facts, truncated });
}

function render(parts: DeadLetterParts, facts: DeadLetterFacts): string {
  const { metadata: previous, isObject, original } = parts;
  const failedAt = timeText(facts.failedAt);
  const error = describeError(facts.error, MAX_ERROR_BYTES);
  const origin = originOf(isObject ? original : undefined);
  return putTogether(
    parts,
    JSON.stringify({
      original_stream: facts.originalStream,
      original_id: facts.originalId,
      consumer_group: facts.consumerGroup,
      consumer: facts.consumer,
      failed_at: failedAt,
      retry_count: facts.retryCount,
      failure_reason: withoutMarkup(facts.reason ?? `${error.type}: ${error.message}`),
      error_type: error.type,
      error_message: error.message,
      error_stack: error.stack,
      handler: facts.handler,
      first_failed_at: firstFailure(previous) ??
        (facts.firstFailedAt === undefined ? failedAt : timeText(facts.firstFailedAt)),
      message_id: origin.id,
      correlation_id: origin.correlationId,
      ...generationIn(previous),
      replay_count: previous ? countIn(previous["replay_count"]) + 1 : 0,
      ...facts.truncated && { truncated_bytes: facts.truncated.bytes, sha256: facts.truncated.sha256 },
      ...(isNoMessage(parts) && { advice: PURGE_IT }),
    }),
  );
}

/**
 * Reads an entry of a dead-letter stream, ours or Python's. Never throws: whatever is there must be listable.
 * Missing keys fall back as in Python's `dlq list`: the stream to the dead-letter stream's name without
 * `:dlq`, the id to the entry's own, the reason to `unknown`.
 */
export function parseDeadLetter(entry: string | undefined, place?: DeadLetterPlace): DeadLetter {
  const { isObject, original, metadata = NOTHING } = takeApart(entry ?? "");
  const letter = summaryOf({ isObject, original, metadata }, place);
  return { ...letter, message: isObject ? parseJson(original) as JsonObject : undefined, text: original };
}

/**
 * As `parseDeadLetter`, without the message itself: `message` is undefined and `text` empty. For lists, which
 * may be of very large messages.
 */
export function summarizeDeadLetter(entry: string | undefined, place?: DeadLetterPlace): DeadLetter {
  return summaryOf(takeApart(entry ?? ""), place);
}

function summaryOf(
  { isObject, original, metadata: facts = NOTHING }: DeadLetterParts,
  place: DeadLetterPlace | undefined,
): DeadLetter {
  const origin = originOf(isObject ? original : undefined);
  const truncatedBytes = countIn(facts["truncated_bytes"]);
  return {
    originalStream: textIn(facts["original_stream"]) ?? place?.stream.replace(/:dlq$/, "") ?? "",
    originalId: textIn(facts["original_id"]) ?? place?.id ?? "",
    consumerGroup: textIn(facts["consumer_group"]) ?? "",
    consumer: textIn(facts["consumer"]),
    handler: textIn(facts["handler"]),
    failedAt: textIn(facts["failed_at"]),
    firstFailedAt: firstFailure(facts),
    retryCount: countIn(facts["retry_count"]),
    replayCount: countIn(facts["replay_count"]),
    failureReason: textIn(facts["failure_reason"]) ?? "unknown",
    errorType: textIn(facts["error_type"]),
    errorMessage: textIn(facts["error_message"]),
    errorStack: textIn(facts["error_stack"]),
    messageId: textIn(facts["message_id"]) ?? origin.id,
    messageType: origin.type,
    correlationId: textIn(facts["correlation_id"]) ?? origin.correlationId,
    message: undefined,
    text: "",
    ...truncatedBytes > 0 && { truncatedBytes },
  };
}

/** What is known of a message that a group is given once more although nobody has failed at it. */
export interface AgainFacts {
  readonly originalStream: string;
  readonly originalId: string;
  readonly consumerGroup: string;
  readonly handler: string;
  /** What it did before counts as not done, but nothing that it does under this name. @default it counts */
  readonly generation?: string | undefined;
}

/** Text of the entry for the replay lane. Never throws. */
export function renderAgain(original: string | undefined, facts: AgainFacts): string {
  return putTogether(
    takeApart(original ?? ""),
    JSON.stringify({
      original_stream: facts.originalStream,
      original_id: facts.originalId,
      consumer_group: facts.consumerGroup,
      handler: facts.handler,
      ...(facts.generation !== undefined && { mark_generation: facts.generation }),
    }),
  );
}

/** The letter with another original; what is known of its failure stays. */
export function withOriginal(entry: string, original: string): string {
  return putTogether(takeApart(original), JSON.stringify(takeApart(entry).metadata ?? NOTHING));
}

/** Under which name the effects of a replayed entry are marked; undefined: under none, as the first time. */
export function markGeneration(entry: string | undefined): string | undefined {
  return generationIn(takeApart(entry ?? "").metadata).mark_generation;
}

function generationIn(facts: JsonObject | undefined): { readonly mark_generation?: string } {
  const generation = facts?.["mark_generation"];
  if (typeof generation !== "string" || generation === "") return {};
  return { mark_generation: cut(generation, MAX_ID_BYTES) };
}

/** For whoever looks at the entry with Python's tools, which do not unwrap it (interop: raw-replay). */
const PURGE_IT =
  "This is no message: purge it. A replay by Python's tools would put it on the stream wrapped as it is here, " +
  "where nobody can read it.";

/** What is stored wrapped, as text or as bytes. */
function isNoMessage({ isObject, original }: DeadLetterParts): boolean {
  return !isObject || standsForBytes(original);
}

/**
 * Python's command line prints the reason as Rich markup, where `[/orders]` is a tag that ends none, and then
 * it can list no letter of the domain (interop: reason-markup). A blank keeps a bracket from opening a tag;
 * `error_message` has the text as it was.
 */
function withoutMarkup(reason: string): string {
  return reason.replace(/\[(?=[a-zA-Z#/@])/g, "[ ");
}

/** What was dead-lettered, as it was: what a replay sends. Text without `_dlq_metadata` stays as it is. */
export function originalText(entry: string): string {
  return takeApart(entry).original;
}

function firstFailure(facts: JsonObject = NOTHING): string | null {
  return textIn(facts["first_failed_at"]) ?? textIn(facts["failed_at"]);
}

/** What the message says of itself, if it is one: texts of a JSON object, each cut at its bound. */
function originOf(message: string | undefined): {
  readonly id: string | null;
  readonly type: string | null;
  readonly correlationId: string | null;
} {
  const metadata = objectText(message, "metadata");
  const headers = objectText(metadata, "headers");
  return {
    id: shortText(headers, "id") || null,
    type: shortText(headers, "type"),
    correlationId: shortText(objectText(metadata, "domain"), "correlation_id"),
  };
}

function objectText(object: string | undefined, key: string): string | undefined {
  const value = object === undefined ? undefined : memberText(object, key);
  return value?.startsWith("{") ? value : undefined;
}

function shortText(object: string | undefined, key: string): string | null {
  const value = object === undefined ? undefined : memberText(object, key);
  return value?.startsWith('"') ? cut(JSON.parse(value), MAX_ID_BYTES) : null;
}

function textIn(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Python reads counts with `int`, which takes digits in a string too. */
function countIn(value: unknown): number {
  const count = typeof value === "string" ? Number(value) : value;
  return Number.isSafeInteger(count) ? count as number : 0;
}
