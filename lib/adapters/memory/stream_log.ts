/**
 * The entries of one stream in memory, in order of id.
 *
 * @module
 */
import {
  compareStreamIds,
  formatStreamId,
  nextStreamId,
  parseStreamId,
  type StreamId,
  ZERO_ID,
} from "../stream_id.ts";
import type { StreamEntry } from "../ports.ts";

export interface LogEntry {
  readonly id: string;
  readonly key: StreamId;
  readonly data: string;
}

/** The entry as the port has it. */
export function entryOf({ id, data }: LogEntry): StreamEntry {
  return { id, data };
}

export class StreamLog {
  readonly #entries: LogEntry[] = [];
  #last: StreamId = ZERO_ID;

  get length(): number {
    return this.#entries.length;
  }

  get newest(): LogEntry | undefined {
    return this.#entries.at(-1);
  }

  /** Appends and returns the new id. `now`: milliseconds since the epoch. */
  append(data: string, now: number): string {
    this.#last = nextStreamId(this.#last, now);
    const id = formatStreamId(this.#last);
    this.#entries.push({ id, key: this.#last, data });
    return id;
  }

  /** Entries after `after`, at most `count`. */
  after(after: StreamId, count: number): readonly LogEntry[] {
    const start = this.#indexAfter(after);
    return this.#entries.slice(start, start + count);
  }

  /** Entries before `before`, the newest first, at most `count`. */
  before(before: StreamId, count: number): readonly LogEntry[] {
    const end = this.#indexAfter({ ms: before.ms, n: before.n - 1 });
    return this.#entries.slice(Math.max(0, end - Math.max(0, count)), end).reverse();
  }

  countAfter(after: StreamId): number {
    return this.#entries.length - this.#indexAfter(after);
  }

  get(id: string): LogEntry | undefined {
    return this.#entries[this.#indexOf(id)];
  }

  /** True if the entry was there. */
  remove(id: string): boolean {
    const index = this.#indexOf(id);
    if (index < 0) return false;
    this.#entries.splice(index, 1);
    return true;
  }

  /** Drops the oldest entries below `limit`, at most `count`; returns how many. */
  dropOldest(count: number, limit: StreamId): number {
    return this.takeOldest(count, limit).length;
  }

  /** As `dropOldest`; returns them. */
  takeOldest(count: number, limit: StreamId): readonly LogEntry[] {
    let drop = 0;
    for (const { key } of this.#entries) {
      if (drop >= count || compareStreamIds(key, limit) >= 0) break;
      drop++;
    }
    return this.#entries.splice(0, drop);
  }

  #indexOf(id: string): number {
    const key = parseStreamId(id);
    if (!key) return -1;
    const index = this.#indexAfter(key) - 1;
    const found = this.#entries[index];
    return found && compareStreamIds(found.key, key) === 0 ? index : -1;
  }

  /** Index of the first entry whose id is greater. */
  #indexAfter(after: StreamId): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry && compareStreamIds(entry.key, after) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
