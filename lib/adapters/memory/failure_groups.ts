/**
 * What the letters of queues in memory failed of.
 *
 * @module
 */
import { MOST_NOTES, raise } from "../failure_book.ts";
import type { FailureFigures, FailureGroups } from "../ports.ts";
import { ZERO_ID } from "../stream_id.ts";
import type { StreamStore } from "./stream_store.ts";

export class MemoryFailureGroups implements FailureGroups {
  readonly #store: StreamStore;
  readonly #notes = new Map<string, Map<string, string>>();

  constructor(store: StreamStore) {
    this.#store = store;
  }

  figures(stream: string): Promise<FailureFigures> {
    const log = this.#store.find(stream)?.log;
    const book = this.#store.bookOf(stream);
    return Promise.resolve({
      depth: log?.length ?? 0,
      oldest: log?.after(ZERO_ID, 1)[0]?.key.ms,
      newest: log?.newest?.key.ms,
      counted: book.upto.total,
      groups: [...book.groups.values()],
      notes: new Map(this.#notes.get(stream)),
    });
  }

  countOn(stream: string, limit: number): Promise<number> {
    const log = this.#store.find(stream)?.log;
    let counted = this.#count(stream, limit);
    if (counted === 0 && this.#store.bookOf(stream).upto.total !== (log?.length ?? 0)) {
      this.#store.forgetBook(stream);
      counted = this.#count(stream, limit);
    }
    return Promise.resolve(counted);
  }

  note(stream: string, fingerprint: string, text: string): ReturnType<FailureGroups["note"]> {
    const notes = this.#notes.get(stream) ?? new Map<string, string>();
    const known = notes.has(fingerprint);
    if (!known && !this.#store.bookOf(stream).find(fingerprint)) return Promise.resolve("unknown");
    if (!known && text !== "" && notes.size >= MOST_NOTES) return Promise.resolve("full");
    if (text === "") notes.delete(fingerprint);
    else notes.set(fingerprint, text);
    this.#notes.set(stream, notes);
    return Promise.resolve("kept");
  }

  #count(stream: string, limit: number): number {
    const book = this.#store.bookOf(stream);
    const found = this.#store.find(stream)?.log.after(book.upto.id, limit) ?? [];
    for (const { key, data } of found) raise(book, key, data);
    return found.length;
  }
}
