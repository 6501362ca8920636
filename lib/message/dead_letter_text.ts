/**
 * The text of a dead letter: `_dlq_metadata` is cut out of and joined onto the original text, which is never
 * printed again, because its number lexemes are part of its checksum (spec: wire 1.7, 2.8, delivery 18).
 *
 * @module
 */
import { members } from "./json_text.ts";
import { isJsonObject, type JsonObject, parseJson } from "./parse.ts";

const KEY = "_dlq_metadata";

/** A dead letter, taken apart. */
export interface DeadLetterParts {
  /** The parsed JSON object, without `_dlq_metadata`; undefined where the original is not a JSON object. */
  readonly object: JsonObject | undefined;
  /** The original text. */
  readonly original: string;
  /** The parsed `_dlq_metadata`, where there is one. */
  readonly metadata: JsonObject | undefined;
}

/** Takes an entry's text apart; text that never was dead-lettered is its own original. Never throws. */
export function takeApart(entry: string): DeadLetterParts {
  const parsed = objectIn(entry);
  if (!parsed) return { object: undefined, original: entry, metadata: undefined };
  if (!Object.hasOwn(parsed, KEY)) return { object: parsed, original: entry, metadata: undefined };
  const metadata = isJsonObject(parsed[KEY]) ? parsed[KEY] : {};
  const object = Object.fromEntries(Object.entries(parsed).filter(([key]) => key !== KEY));
  return isWrapper(object)
    ? { object: undefined, original: object.raw, metadata }
    : { object, original: withoutMetadata(entry), metadata };
}

/** Joins `_dlq_metadata`, as JSON, onto an original that has none. What is not a JSON object is wrapped. */
export function putTogether({ object, original }: DeadLetterParts, metadataJson: string): string {
  // An original of the wrapper's own form is wrapped as well, or it would come back unwrapped.
  const text = !object || isWrapper(object) ? `{"raw":${JSON.stringify(original)}}` : original;
  const body = text.slice(0, text.lastIndexOf("}")).trimEnd();
  return `${body}${body.endsWith("{") ? "" : ","}"${KEY}":${metadataJson}}`;
}

/** `{"raw":"<text>"}` and nothing else. */
function isWrapper(object: JsonObject): object is { raw: string } {
  return typeof object["raw"] === "string" && Object.keys(object).length === 1;
}

function withoutMetadata(entry: string): string {
  const kept = members(entry).filter((member) => member.key !== KEY);
  return `{${kept.map((member) => entry.slice(member.from, member.end)).join(",")}}`;
}

function objectIn(entry: string): JsonObject | undefined {
  try {
    const parsed = parseJson(entry);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
