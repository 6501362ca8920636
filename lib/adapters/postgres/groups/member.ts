/**
 * What one unit of work commits, from the moment at which it is handed over to its outcome.
 *
 * @module
 */
import {
  type Mark,
  type OutboxInsert,
  type RowWrite,
  sessionEnded,
  type SessionOptions,
  type WriteSet,
} from "../../ports.ts";
import { markKey } from "../tables/marks.ts";

/** What a mark takes up beside its texts. */
const MARK_BYTES = 100;
/** What a row of the outbox takes up beside its texts. */
const OUTBOX_BYTES = 300;

/** Something that at most one member at work touches: a mark, a row. */
export interface Key {
  readonly name: string;
  /** Its row is written whatever is there: such writes may share a group. */
  readonly blind: boolean;
}

/** `queued`: nothing of it was sent. `sent`: a group with it is at the server. `over`: it has its outcome. */
export type Stage = "queued" | "sent" | "over";

export class Member {
  readonly marks: readonly Mark[];
  readonly rows: readonly RowWrite[];
  readonly outbox: readonly OutboxInsert[];
  readonly keys: readonly Key[];
  /** About, in UTF-16 units of its texts. */
  readonly bytes: number;
  readonly options: SessionOptions;
  readonly outcome: Promise<void>;
  stage: Stage = "queued";
  /**
   * Groups that it may be part of are no larger: those before have failed, and nobody knows at what. Below 1 it
   * goes alone.
   */
  most: number;
  /** How often it has lost its connection before anything was committed. */
  losses = 0;
  /** Called once when the unit of work is given up and has no outcome yet. */
  whenAbandoned: () => void = () => {};
  readonly #settle: { resolve: () => void; reject: (reason: Error) => void };

  constructor(marks: readonly Mark[], { rows, outbox }: WriteSet, options: SessionOptions) {
    this.marks = marks;
    this.rows = rows;
    this.outbox = outbox;
    this.options = options;
    this.keys = [...marks.map((mark) => ({ name: markKey(mark), blind: false })), ...rows.map(rowKey)];
    // Several writes of one row go one after the other.
    this.most = new Set(this.keys.map(({ name }) => name)).size < this.keys.length ? 0 : Infinity;
    this.bytes = sizeOf(marks, rows, outbox);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.outcome = promise;
    this.#settle = { resolve, reject };
  }

  /** It has committed. */
  committed(): void {
    if (this.stage === "over") return;
    this.stage = "over";
    this.#settle.resolve();
  }

  /** Nothing of it is committed, or nobody knows. */
  failed(error: Error): void {
    if (this.stage === "over") return;
    this.stage = "over";
    this.#settle.reject(error);
  }

  /** The unit of work is given up: what was not sent never is. */
  abandon(): void {
    if (this.stage === "over") return;
    this.failed(sessionEnded());
    this.whenAbandoned();
  }
}

function rowKey({ table, id, state, expected }: RowWrite): Key {
  return { name: `r\0${table}\0${id}`, blind: expected === undefined && state !== undefined };
}

function sizeOf(
  marks: readonly Mark[],
  rows: readonly RowWrite[],
  outbox: readonly OutboxInsert[],
): number {
  let sum = marks.length * MARK_BYTES;
  for (const { id, state } of rows) sum += id.length + (state?.length ?? 0);
  for (const { data, metadata } of outbox) sum += data.length + metadata.length + OUTBOX_BYTES;
  return sum;
}
