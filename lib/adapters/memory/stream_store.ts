/**
 * All streams of one memory broker, and who waits for them.
 *
 * @module
 */
import { lower, raise } from "../failure_book.ts";
import { MemoryFailureBook } from "./failure_book.ts";
import { GroupState } from "./stream_group_state.ts";
import { StreamLog } from "./stream_log.ts";

/** One stream: its entries and its groups by name. */
export interface StoredStream {
  readonly log: StreamLog;
  readonly groups: Map<string, GroupState>;
}

export class StreamStore {
  readonly #streams = new Map<string, StoredStream>();
  readonly #watchers = new Map<string, Set<() => void>>();
  /** By dead-letter stream. */
  readonly #books = new Map<string, MemoryFailureBook>();

  find(stream: string): StoredStream | undefined {
    return this.#streams.get(stream);
  }

  /**
   * Creates stream and group where missing, from the beginning (wire 2.2). True when it created the group.
   */
  ensureGroup(stream: string, group: string): boolean {
    const { log, groups } = this.#open(stream);
    if (groups.has(group)) return false;
    groups.set(group, new GroupState(group, log));
    this.#changed(stream);
    return true;
  }

  /** True if there was such a group. Waiting readers learn that it is gone. */
  dropGroup(stream: string, group: string): boolean {
    const dropped = this.#streams.get(stream)?.groups.delete(group) ?? false;
    if (dropped) this.#changed(stream);
    return dropped;
  }

  append(stream: string, data: string, now: number): string {
    const id = this.#open(stream).log.append(data, now);
    this.#changed(stream);
    return id;
  }

  /** As `append`, of a dead letter, which is counted unless others before it are not. */
  bury(stream: string, data: string, now: number): string {
    const book = this.bookOf(stream);
    const isAtEnd = (this.#streams.get(stream)?.log.after(book.upto.id, 1).length ?? 0) === 0;
    const id = this.append(stream, data, now);
    const entry = this.#streams.get(stream)?.log.get(id);
    if (isAtEnd && entry) raise(book, entry.key, data);
    return id;
  }

  /** True if the dead letter was there; it is counted no longer. */
  unbury(stream: string, id: string): boolean {
    const log = this.#streams.get(stream)?.log;
    const entry = log?.get(id);
    if (!log?.remove(id) || !entry) return false;
    lower(this.bookOf(stream), entry.key, entry.data);
    return true;
  }

  /** What the letters of the queue failed of. */
  bookOf(stream: string): MemoryFailureBook {
    const found = this.#books.get(stream) ?? new MemoryFailureBook();
    this.#books.set(stream, found);
    return found;
  }

  forgetBook(stream: string): void {
    this.#books.delete(stream);
  }

  /** Removes the stream with its groups; returns how many entries it had. */
  drop(stream: string): number {
    const length = this.#streams.get(stream)?.log.length ?? 0;
    // Waiting readers learn that their group is gone.
    if (this.#streams.delete(stream)) this.#changed(stream);
    return length;
  }

  /**
   * Calls `listener` after every change that a waiting reader of `stream` may care for; returns the way to
   * stop that.
   */
  watch(stream: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(stream) ?? new Set();
    this.#watchers.set(stream, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0 && this.#watchers.get(stream) === watchers) this.#watchers.delete(stream);
    };
  }

  #open(stream: string): StoredStream {
    const found = this.#streams.get(stream);
    if (found) return found;
    const opened = { log: new StreamLog(), groups: new Map<string, GroupState>() };
    this.#streams.set(stream, opened);
    return opened;
  }

  #changed(stream: string): void {
    for (const listener of [...this.#watchers.get(stream) ?? []]) listener();
  }
}
