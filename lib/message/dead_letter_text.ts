/**
 * The text of a dead letter: `_dlq_metadata` is cut out of and joined onto the original text, which is never
 * printed again, because its number lexemes are part of its checksum (spec: wire 1.7, 2.8, delivery 18). Nor
 * is it made a value of: what is given up may be what no process could parse.
 *
 * @module
 */
import { isObjectText } from "./canonical_text.ts";
import { eachMember, type Member } from "./json_text.ts";
import { isJsonObject, type JsonObject, parseJson } from "./parse.ts";

const KEY = "_dlq_metadata";
/** Ours has some 20 kB; what is longer was not written by anybody who dead-letters. */
const MAX_METADATA = 1024 * 1024;

/** A dead letter, taken apart. */
export interface DeadLetterParts {
  /** The original is a JSON object. */
  readonly isObject: boolean;
  /** The original text. */
  readonly original: string;
  /** The parsed `_dlq_metadata`, where there is one. */
  readonly metadata: JsonObject | undefined;
}

/** Takes an entry's text apart; text that never was dead-lettered is its own original. Never throws. */
export function takeApart(entry: string): DeadLetterParts {
  if (!isObjectText(entry)) return { isObject: false, original: entry, metadata: undefined };
  let facts: Member | undefined;
  for (const member of eachMember(entry)) if (member.key === KEY) facts = member;
  if (!facts) return { isObject: true, original: entry, metadata: undefined };
  const metadata = metadataIn(entry.slice(facts.valueFrom, facts.end));
  const raw = rawOf(entry);
  return raw === undefined
    ? { isObject: true, original: withoutMetadata(entry), metadata }
    : { isObject: false, original: raw, metadata };
}

/** Joins `_dlq_metadata`, as JSON, onto an original that has none. What is not a JSON object is wrapped. */
export function putTogether(
  { isObject, original }: Pick<DeadLetterParts, "isObject" | "original">,
  metadataJson: string,
): string {
  // An original of the wrapper's own form is wrapped as well, or it would come back unwrapped.
  const text = !isObject || rawOf(original) !== undefined ? `{"raw":${JSON.stringify(original)}}` : original;
  const body = text.slice(0, text.lastIndexOf("}")).trimEnd();
  return `${body}${body.endsWith("{") ? "" : ","}"${KEY}":${metadataJson}}`;
}

/** The text in `{"raw":"<text>"}` and nothing else but `_dlq_metadata`; undefined for any other object. */
function rawOf(object: string): string | undefined {
  let raw: string | undefined;
  for (const { key, valueFrom, end } of eachMember(object)) {
    if (key === KEY) continue;
    if (key !== "raw") return undefined;
    raw = object.slice(valueFrom, end);
  }
  return raw?.startsWith('"') ? JSON.parse(raw) : undefined;
}

function withoutMetadata(entry: string): string {
  const kept: string[] = [];
  for (const { key, from, end } of eachMember(entry)) if (key !== KEY) kept.push(entry.slice(from, end));
  return `{${kept.join(",")}}`;
}

function metadataIn(text: string): JsonObject {
  if (text.length > MAX_METADATA) return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : {};
}
