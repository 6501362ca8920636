/**
 * Messages in memory, in the order in which they were appended (wire 4.8).
 *
 * @module
 */
import { categoryOf } from "../../message/names.ts";
import type { EventAppend, StoredEvent } from "../ports.ts";
import { checkStreamEnd, kindOfStream, storedMetadata } from "../stored_event.ts";

export class MemoryEventLog {
  readonly #all: StoredEvent[] = [];
  readonly #streams = new Map<string, StoredEvent[]>();
  readonly #categories = new Map<string, StoredEvent[]>();
  readonly #listeners = new Set<{ readonly call: () => void }>();

  /** Positions that the events would get. Throws `ExpectedVersionError` when they cannot be appended now. */
  positions(events: readonly EventAppend[]): readonly number[] {
    const ends = new Map<string, number>();
    return events.map((event) => {
      const end = ends.get(event.stream) ?? (this.#streams.get(event.stream)?.length ?? 0) - 1;
      checkStreamEnd(event, end);
      ends.set(event.stream, end + 1);
      return end + 1;
    });
  }

  /** Appends all, or none if it throws. */
  append(events: readonly EventAppend[], now: number): readonly number[] {
    const positions = this.positions(events);
    events.forEach((event, index) => this.#add(event, positions[index] ?? 0, now));
    if (events.length > 0) { for (const { call } of [...this.#listeners]) call(); }
    return positions;
  }

  /** Calls `listener` after every append; returns the way to stop. */
  watch(listener: () => void): () => void {
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Messages of a stream, a category or `$all`, in order. */
  events(name: string): readonly StoredEvent[] {
    switch (kindOfStream(name)) {
      case "all":
        return this.#all;
      case "stream":
        return this.#streams.get(name) ?? [];
      case "category":
        return this.#categories.get(name) ?? [];
    }
  }

  #add(event: EventAppend, position: number, now: number): void {
    const stored: StoredEvent = {
      globalPosition: this.#all.length + 1,
      position,
      stream: event.stream,
      type: event.type,
      data: event.data,
      metadata: storedMetadata(event, position - 1),
      time: now,
    };
    this.#all.push(stored);
    push(this.#streams, event.stream, stored);
    push(this.#categories, categoryOf(event.stream), stored);
  }
}

function push(index: Map<string, StoredEvent[]>, key: string, event: StoredEvent): void {
  const events = index.get(key);
  if (events) events.push(event);
  else index.set(key, [event]);
}
