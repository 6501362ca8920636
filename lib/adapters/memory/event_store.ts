/**
 * Events in memory, in the order in which they were appended (wire 4.8).
 *
 * @module
 */
import { categoryOf } from "../../message/names.ts";
import { BaseEventStore, type EventAppend, type StoredEvent } from "../ports.ts";
import { checkStreamEnd, kindOfStream, storedMetadata } from "../stored_event.ts";

export class MemoryEventStore extends BaseEventStore {
  readonly #all: StoredEvent[] = [];
  readonly #streams = new Map<string, StoredEvent[]>();
  readonly #categories = new Map<string, StoredEvent[]>();

  ping(signal: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal.throwIfAborted());
  }

  /** All are appended, or none. */
  async append(events: readonly EventAppend[]): Promise<readonly number[]> {
    await Promise.resolve();
    const ends = new Map<string, number>();
    const positions = events.map((event) => {
      const end = ends.get(event.stream) ?? (this.#streams.get(event.stream)?.length ?? 0) - 1;
      checkStreamEnd(event, end);
      ends.set(event.stream, end + 1);
      return end + 1;
    });
    events.forEach((event, index) => this.#add(event, positions[index] ?? 0));
    return positions;
  }

  async read(
    stream: string,
    options: { readonly from?: number; readonly limit: number },
  ): Promise<readonly StoredEvent[]> {
    await Promise.resolve();
    const from = options.from ?? 0;
    const of = kindOfStream(stream) === "stream"
      ? ({ position }: StoredEvent) => position
      : ({ globalPosition }: StoredEvent) => globalPosition;
    return this.#events(stream).filter((event) => of(event) >= from).slice(0, options.limit);
  }

  async last(stream: string): Promise<StoredEvent | undefined> {
    await Promise.resolve();
    return this.#events(stream).at(-1);
  }

  #events(name: string): readonly StoredEvent[] {
    switch (kindOfStream(name)) {
      case "all":
        return this.#all;
      case "stream":
        return this.#streams.get(name) ?? [];
      case "category":
        return this.#categories.get(name) ?? [];
    }
  }

  #add(event: EventAppend, position: number): void {
    const stored: StoredEvent = {
      globalPosition: this.#all.length + 1,
      position,
      stream: event.stream,
      type: event.type,
      data: event.data,
      metadata: storedMetadata(event, position - 1),
      time: this.options.clock.now(),
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
