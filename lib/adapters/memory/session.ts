/**
 * One unit of work on memory: everything is buffered, checked and applied in one turn at the commit.
 *
 * @module
 */
import { NotSupportedError } from "../../errors.ts";
import {
  duplicateMessage,
  type EventAppend,
  isOtherMessage,
  type Mark,
  type MarkOutcome,
  type OutboxInsert,
  type ProviderSession,
  requireSameMessage,
  type RowWrite,
  sessionEnded,
  type SqlRow,
  type StoredRow,
  type WriteSet,
} from "../ports.ts";
import type { MemoryEventLog } from "./event_log.ts";
import type { MemoryOutbox } from "./outbox.ts";
import type { MemoryTables } from "./tables.ts";

/** What the sessions of one memory provider share. */
export interface MemoryState {
  readonly tables: MemoryTables;
  readonly outbox: MemoryOutbox;
  readonly marks: MemoryMarks;
  /** Where there is an event store that commits with the provider. */
  readonly events: MemoryEventLog | undefined;
}

/** Committed marks, in the order of their commits. */
export type MemoryMarks = Map<string, { readonly at: number; readonly checksum: string | undefined }>;

export class MemorySession implements ProviderSession {
  #ended = false;
  readonly #rows: RowWrite[] = [];
  readonly #outbox: OutboxInsert[] = [];
  readonly #events: EventAppend[] = [];
  readonly #marks = new Map<string, Mark>();

  /** `stamp`: the time of what is kept for a time. Both epoch ms. */
  constructor(
    private readonly state: MemoryState,
    private readonly now: () => number,
    private readonly stamp: () => number,
  ) {}

  load(table: string, id: string): Promise<StoredRow | undefined> {
    return this.#run(() => this.state.tables.load(table, id, this.#rows));
  }

  loadMany(table: string, ids: readonly string[]): Promise<readonly StoredRow[]> {
    return this.#run(() => this.state.tables.loadMany(table, ids, this.#rows));
  }

  list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    return this.#run(() => this.state.tables.list(table, options, this.#rows));
  }

  mark(mark: Mark): Promise<boolean> {
    return this.#run(() => {
      const taken = this.#take(mark);
      if (taken) requireSameMessage(mark, taken.checksum);
      return taken === undefined;
    });
  }

  markMany(marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
    return this.#run(() =>
      marks.map((mark) => {
        const taken = this.#take(mark);
        if (!taken) return "claimed";
        return isOtherMessage(mark, taken.checksum) ? "conflict" : "handled";
      })
    );
  }

  /** Who has it already; undefined: it is this session's now. */
  #take(mark: Mark): { readonly checksum?: string | undefined } | undefined {
    const key = JSON.stringify([mark.handler, mark.type, mark.messageId]);
    const taken = this.#marks.get(key) ?? this.state.marks.get(key);
    if (!taken) this.#marks.set(key, mark);
    return taken;
  }

  query(): Promise<readonly SqlRow[]> {
    return this.#run(() => {
      throw new NotSupportedError(
        "The memory database has no SQL: configure sqlite or postgresql to use ctx.sql.",
      );
    });
  }

  flush(writes: WriteSet): Promise<void> {
    return this.#run(() => {
      this.#buffer(writes);
      this.state.tables.check(this.#rows);
      this.state.events?.positions(this.#events);
    });
  }

  commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    return this.#run(() => {
      this.#ended = true;
      this.#buffer(writes);
      const { tables, outbox, marks, events } = this.state;
      // Everything that can be refused comes before the first change.
      for (const [key, mark] of this.#marks) {
        const taken = marks.get(key);
        if (!taken) continue;
        requireSameMessage(mark, taken.checksum);
        throw duplicateMessage(mark);
      }
      const all = events?.positions(this.#events) ?? [];
      tables.apply(this.#rows);
      events?.append(this.#events, this.now());
      for (const [key, { checksum }] of this.#marks) marks.set(key, { at: this.stamp(), checksum });
      outbox.add(this.#outbox);
      return { positions: all.slice(all.length - writes.events.length) };
    });
  }

  rollback(): Promise<void> {
    this.abandon();
    return Promise.resolve();
  }

  abandon(): void {
    this.#ended = true;
  }

  async #run<T>(method: () => T): Promise<T> {
    if (this.#ended) throw sessionEnded();
    return await method();
  }

  #buffer(writes: WriteSet): void {
    if (writes.events.length > 0 && !this.state.events) {
      throw new NotSupportedError("The memory database holds no events: append them to the event store.");
    }
    this.#rows.push(...writes.rows);
    this.#outbox.push(...writes.outbox);
    this.#events.push(...writes.events);
  }
}
