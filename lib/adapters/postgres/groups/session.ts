/**
 * One unit of work whose commit travels with others. It holds no transaction and no connection: marks are
 * noted, reads are single statements (versions guard what they have seen), and everything is written by the
 * commit. A statement of the user's own, or a flush, begins a transaction of its own.
 *
 * @module
 */
import { onAbort } from "../../../async/abort.ts";
import { DuplicateMessageError, NotSupportedError } from "../../../errors.ts";
import { unstorable } from "../../../message/storable.ts";
import {
  duplicateMessage,
  isOtherMessage,
  type Mark,
  type MarkOutcome,
  messageConflict,
  type ProviderSession,
  requireSameMessage,
  sessionEnded,
  type SessionOptions,
  type SqlRow,
  type SqlStatement,
  type StoredRow,
  type WriteSet,
} from "../../ports.ts";
import { markKey, markLook, markRows } from "../tables/marks.ts";
import { listRead, rowRead, rowsRead, storedRow } from "../tables/row_writes.ts";
import { PostgresSession, type SessionParts } from "../tables/session.ts";
import type { Committer } from "./committer.ts";
import { Member } from "./member.ts";
import { type Read, readOnce, type SharedReads } from "./reads.ts";
import { assertStorable } from "./storable.ts";

export interface GroupedParts {
  readonly own: SessionParts;
  readonly committer: Committer;
  readonly reads: SharedReads;
}

export class GroupedSession implements ProviderSession {
  readonly #parts: GroupedParts;
  readonly #options: SessionOptions;
  readonly #marks: Mark[] = [];
  /** Begun by a statement of the user's own or a flush. */
  #own: PostgresSession | undefined;
  /** What is read now. */
  #read: Pick<Read<never>, "abandon"> | undefined;
  /** Aborts when a connection must no longer be waited for. */
  #waiting: AbortController | undefined;
  #member: Member | undefined;
  #ended = false;

  constructor(parts: GroupedParts, options: SessionOptions = {}) {
    this.#parts = parts;
    this.#options = options;
  }

  async load(table: string, id: string): Promise<StoredRow | undefined> {
    if (this.#own) return await this.#own.load(table, id);
    // One that the server refuses must not fail what others read.
    if (unstorable(id)) {
      const [row] = await this.#readAlone(rowRead(this.#parts.own.names, table, id));
      return row && storedRow(row);
    }
    return await this.#shared(() => this.#parts.reads.row(table, id));
  }

  async loadMany(table: string, ids: readonly string[]): Promise<readonly StoredRow[]> {
    if (this.#own) return await this.#own.loadMany(table, ids);
    return (await this.#readAlone(rowsRead(this.#parts.own.names, table, ids))).map(storedRow);
  }

  async list(
    table: string,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRow[]> {
    if (this.#own) return await this.#own.list(table, options);
    return (await this.#readAlone(listRead(this.#parts.own.names, table, options))).map(storedRow);
  }

  async mark(mark: Mark, fresh = false): Promise<boolean> {
    if (this.#own) return await this.#own.mark(mark);
    const mine = this.#marks.find((other) => markKey(other) === markKey(mark));
    if (mine) {
      requireSameMessage(mark, mine.checksum);
      return false;
    }
    if (!fresh) {
      // What has it in hand and was given up may still be at the server.
      await this.#parts.committer.settled(markKey(mark));
      const taken = await this.#shared(() => this.#parts.reads.mark(mark));
      if (taken) {
        requireSameMessage(mark, taken.checksum);
        return false;
      }
    }
    this.#assertOpen();
    this.#marks.push(mark);
    return true;
  }

  async markMany(marks: readonly Mark[]): Promise<readonly MarkOutcome[]> {
    if (this.#own) return await this.#own.markMany(marks);
    await Promise.all(marks.map((mark) => this.#parts.committer.settled(markKey(mark))));
    const rows = await this.#readAlone(markLook(this.#parts.own.names, marks));
    const taken = new Map([
      ...this.#marks.map((mark) => [markKey(mark), mark.checksum] as const),
      ...markRows(rows),
    ]);
    return marks.map((mark) => {
      const key = markKey(mark);
      if (taken.has(key)) return isOtherMessage(mark, taken.get(key)) ? "conflict" : "handled";
      this.#marks.push(mark);
      return "claimed";
    });
  }

  async query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    this.#assertOpen();
    return await this.#inOwn((own) => own.query(statement));
  }

  async flush(writes: WriteSet): Promise<void> {
    this.#assertOpen();
    await this.#inOwn((own) => own.flush(writes));
  }

  async commit(writes: WriteSet): Promise<{ readonly positions: readonly number[] }> {
    this.#assertOpen();
    this.#ended = true;
    if (this.#own) return await this.#inOwn((own) => own.commit(writes));
    const { where } = this.#parts.own;
    if (writes.events.length > 0) {
      throw new NotSupportedError(
        `Database '${where.name}' keeps no events: append them to the event store.`,
      );
    }
    const { rows, outbox } = writes;
    if (rows.length + outbox.length + this.#marks.length > 0) {
      assertStorable(where, this.#marks, writes);
      this.#member = new Member(this.#marks, writes, this.#options);
      await this.#parts.committer.commit(this.#member);
    }
    return { positions: [] };
  }

  async rollback(): Promise<void> {
    this.#ended = true;
    await this.#own?.rollback();
  }

  abandon(): void {
    this.#ended = true;
    this.#waiting?.abort(sessionEnded());
    this.#read?.abandon();
    this.#own?.abandon();
    this.#member?.abandon();
  }

  /** In the transaction of its own, whose first packet takes the marks that were noted. */
  async #inOwn<T>(call: (own: PostgresSession) => Promise<T>): Promise<T> {
    this.#own ??= new PostgresSession(this.#parts.own, this.#options, this.#marks);
    try {
      return await call(this.#own);
    } catch (error) {
      throw error instanceof DuplicateMessageError ? await this.#duplicate(error) : error;
    }
  }

  /** Which mark is taken, and whether by the same message: `found` knows neither. */
  async #duplicate(found: DuplicateMessageError): Promise<Error> {
    const rows = markRows(await readOnce(this.#parts.own, markLook(this.#parts.own.names, this.#marks)));
    const mark = this.#marks.find((one) => rows.has(markKey(one)));
    if (!mark) return found;
    return isOtherMessage(mark, rows.get(markKey(mark))) ? messageConflict(mark) : duplicateMessage(mark);
  }

  /** Waits for a read that others may share. */
  async #shared<T>(ask: () => Read<T>): Promise<T | undefined> {
    this.#assertOpen();
    const read = ask();
    this.#read = read;
    if (!this.#parts.own.pool.exhausted) return await read.answer;
    using _ = onAbort(this.#options.signal, (reason) => {
      if (!read.sent) read.failed(reason instanceof Error ? reason : sessionEnded());
    });
    return await read.answer;
  }

  async #readAlone(statement: Parameters<typeof readOnce>[1]): ReturnType<typeof readOnce> {
    this.#assertOpen();
    const waiting = this.#waiting = new AbortController();
    using _ = onAbort(this.#options.signal, (reason) => waiting.abort(reason));
    const rows = await readOnce(this.#parts.own, statement, {
      signal: waiting.signal,
      turn: this.#options.turn,
    });
    this.#assertOpen();
    return rows;
  }

  #assertOpen(): void {
    if (this.#ended) throw sessionEnded();
  }
}

/** Commits one member in a transaction of its own, which waits for locks as long as it must. */
export async function commitAlone(parts: SessionParts, member: Member): Promise<void> {
  const session = new PostgresSession(parts, member.options);
  member.whenAbandoned = () => session.abandon();
  try {
    for (const mark of member.marks) if (!await session.mark(mark)) throw duplicateMessage(mark);
    await session.commit({ rows: member.rows, outbox: member.outbox, events: [] });
  } finally {
    await session.rollback();
  }
}
