/**
 * What every event store of ours writes the same way (wire 4.2, 4.3).
 *
 * @module
 */
import { ExpectedVersionError } from "../errors.ts";
import type { MessageMetadata } from "../message/types.ts";
import type { EventAppend, StoredEvent } from "./ports.ts";

/**
 * The metadata as stored, JSON text: events carry the position at which their stream ended before (-1: it is
 * new), commands carry none; the store's own positions are filled in by whoever reads the row. That of records
 * is stored as it is.
 */
export function storedMetadata(event: EventAppend, end: number): string {
  const { metadata } = event;
  if (!isOfMessage(metadata)) return JSON.stringify(metadata);
  const expected_version = metadata.domain.kind === "EVENT" ? end : null;
  return JSON.stringify({
    ...metadata,
    domain: { ...metadata.domain, expected_version },
    event_store: null,
  });
}

/** Throws `ExpectedVersionError`, in Message DB's words, unless the stream ends where the event expects. */
export function checkStreamEnd(event: EventAppend, end: number): void {
  const expected = event.expectedVersion;
  if (expected === undefined || expected === end) return;
  throw new ExpectedVersionError(
    `Wrong expected version: ${expected} (Stream: ${event.stream}, Stream Version: ${end})`,
  );
}

/** What a name given to `read` or `last` means: everything, one stream, or the category of many. */
export function kindOfStream(name: string): "all" | "stream" | "category" {
  if (name === "$all") return "all";
  return name.includes("-") ? "stream" : "category";
}

function isOfMessage(metadata: EventAppend["metadata"]): metadata is MessageMetadata {
  return metadata.domain.kind !== "READ_POSITION";
}

/** The messages up to the one with which they are larger than `maxSize`; always the first. */
export function within(events: Iterable<StoredEvent>, maxSize: number = Infinity): readonly StoredEvent[] {
  const taken: StoredEvent[] = [];
  let size = 0;
  for (const event of events) {
    size += event.data.length + event.metadata.length;
    if (taken.length > 0 && size > maxSize) break;
    taken.push(event);
  }
  return taken;
}
