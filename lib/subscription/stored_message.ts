/**
 * A row of the event store as a subscription sees it (wire 4.4).
 *
 * @module
 */
import type { StoredEvent, StreamEntry } from "../adapters/ports.ts";
import { encodeRaw } from "../message/envelope.ts";
import { isJsonObject, type JsonObject } from "../message/parse.ts";

/**
 * `record`: what readers and aggregates keep for themselves. `skipped`: a message that is handled
 * already. `message`: any other, whatever is wrong with it.
 */
export type StoredKind = "record" | "skipped" | "message";

const SNAPSHOT = "SNAPSHOT";
const NONE: JsonObject = {};

/** What a row is. Never throws. */
export function kindOfStored({ type, metadata }: StoredEvent): StoredKind {
  const parsed = metadataIn(metadata);
  if (parsed === undefined) return type === SNAPSHOT ? "record" : "message";
  const domain = isJsonObject(parsed["domain"]) ? parsed["domain"] : NONE;
  if (domain["kind"] === "READ_POSITION") return "record";
  // It was handled by the process that sent it (wire 10.14).
  return domain["asynchronous"] === false ? "skipped" : "message";
}

/** Its id is the global position; its text, that of a broker's field `data`. */
export function storedEntry({ globalPosition, data, metadata }: StoredEvent): StreamEntry {
  return { id: String(globalPosition), data: encodeRaw(data, metadata) };
}

/** `headers.id`, as far as it can be told. Never throws. */
export function storedId({ metadata }: StoredEvent): string {
  const headers = metadataIn(metadata)?.["headers"];
  const id = isJsonObject(headers) ? headers["id"] : undefined;
  return typeof id === "string" && id !== "" ? id : "unknown";
}

function metadataIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
