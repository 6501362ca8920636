/**
 * Dead-letter streams of the memory broker.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import type { DeadLetterRange, DeadLetters, FeedMark, StreamEntry } from "../ports.ts";
import { END_ID, parseCursor, ZERO_ID } from "../stream_id.ts";
import { lower } from "../failure_book.ts";
import { MemoryFailureGroups } from "./failure_groups.ts";
import { entryOf } from "./stream_log.ts";
import type { StreamStore } from "./stream_store.ts";

export class MemoryDeadLetters implements DeadLetters {
  readonly failures: MemoryFailureGroups;
  readonly #store: StreamStore;
  readonly #clock: Clock;
  /** By lane, then by id. */
  readonly #fed = new Map<string, Map<string, string>>();

  constructor(store: StreamStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.failures = new MemoryFailureGroups(store);
  }

  depth(stream: string): Promise<number> {
    return Promise.resolve(this.#store.find(stream)?.log.length ?? 0);
  }

  list(
    stream: string,
    { direction, after, limit }: DeadLetterRange,
  ): Promise<readonly StreamEntry[]> {
    return Promise.try(() => {
      const backwards = direction === "backwards";
      const cursor = parseCursor(after, backwards ? END_ID : ZERO_ID);
      const log = this.#store.find(stream)?.log;
      const page = backwards ? log?.before(cursor, limit) : log?.after(cursor, Math.max(0, limit));
      return (page ?? []).map(entryOf);
    });
  }

  oldest(stream: string): Promise<number | undefined> {
    return Promise.resolve(this.#store.find(stream)?.log.after(ZERO_ID, 1)[0]?.key.ms);
  }

  trimBefore(stream: string, ms: number, limit: number): Promise<number> {
    const gone = this.#store.find(stream)?.log.takeOldest(limit, { ms, n: 0 }) ?? [];
    for (const { key, data } of gone) lower(this.#store.bookOf(stream), key, data);
    return Promise.resolve(gone.length);
  }

  get(stream: string, id: string): Promise<StreamEntry | undefined> {
    const entry = this.#store.find(stream)?.log.get(id);
    return Promise.resolve(entry && entryOf(entry));
  }

  replay(stream: string, id: string, lane: string, group: string): Promise<boolean> {
    const entry = this.#store.find(stream)?.log.get(id);
    if (!entry) return Promise.resolve(false);
    this.#store.ensureGroup(lane, group);
    this.#store.append(lane, entry.data, this.#clock.now());
    return Promise.resolve(this.#store.unbury(stream, id));
  }

  move(stream: string, ids: readonly string[], to: string): Promise<number> {
    const log = this.#store.find(stream)?.log;
    let moved = 0;
    for (const id of ids) {
      const entry = log?.get(id);
      if (!entry) continue;
      this.#store.bury(to, entry.data, this.#clock.now());
      if (this.#store.unbury(stream, id)) moved++;
    }
    return Promise.resolve(moved);
  }

  release(stream: string, id: string, to: string, data: string): Promise<boolean> {
    if (!this.#store.find(stream)?.log.get(id)) return Promise.resolve(false);
    this.#store.append(to, data, this.#clock.now());
    return Promise.resolve(this.#store.unbury(stream, id));
  }

  feed(lane: string, group: string, texts: readonly string[], { id, from, to }: FeedMark): Promise<string> {
    const marks = this.#fed.get(lane) ?? new Map<string, string>();
    const at = marks.get(id) ?? "";
    if (at !== from) return Promise.resolve(at);
    if (texts.length > 0) this.#store.ensureGroup(lane, group);
    for (const text of texts) this.#store.append(lane, text, this.#clock.now());
    this.#fed.set(lane, marks.set(id, to));
    return Promise.resolve(to);
  }

  remove(stream: string, ids: readonly string[]): Promise<number> {
    return Promise.resolve(ids.filter((id) => this.#store.unbury(stream, id)).length);
  }

  purge(stream: string, last?: string): Promise<number> {
    const behind = this.#store.find(stream)?.log.after(parseCursor(last, END_ID), 1);
    if (behind?.length) return Promise.resolve(0);
    this.#store.forgetBook(stream);
    return Promise.resolve(this.#store.drop(stream));
  }
}
