/**
 * Group commit: transactions that are asked for in one turn of the event loop are committed together, so that
 * the disk is waited for once and not once for each (it is most of what a small transaction costs). Each
 * still succeeds or fails by itself.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { DatabaseSync } from "node:sqlite";
import { UnavailableError } from "../../../errors.ts";
import { inTransaction } from "./older_runtime.ts";
import { statement } from "./statements.ts";

/** More wait for the next turn: the event loop must not stand still for long. */
const MOST_TOGETHER = 64;

/** One transaction to be written. */
export interface QueuedWrite {
  readonly work: (db: DatabaseSync) => unknown;
  readonly durable: boolean;
  readonly notify: boolean;
  readonly signal: AbortSignal | undefined;
  readonly done: (result: unknown) => void;
  readonly failed: (cause: unknown) => void;
}

/** What the queue needs of its file. */
export interface WriteTarget {
  /** The turn to write; returns how to give it back. */
  acquire(): Promise<() => void>;
  /** Repeats `attempt` while another process is writing; an aborted signal ends that. */
  retry<T>(attempt: () => T, signal?: AbortSignal): Promise<T>;
  begin(durable: boolean): DatabaseSync;
  commit(db: DatabaseSync, notify: boolean): void;
  rollback(db: DatabaseSync): void;
}

type Outcome = { readonly result: unknown } | { readonly cause: unknown };

/** A write in the queue, until it is settled. */
interface Entry extends QueuedWrite {
  over: boolean;
}

export class WriteQueue {
  readonly #waiting: Entry[] = [];
  /** A turn that was asked for and has not come: whoever is in the queue then is written in it. */
  #coming = false;

  constructor(private readonly target: WriteTarget) {}

  /** Writes soon. An aborted signal takes it out again for as long as it is not written. */
  push(write: QueuedWrite): void {
    const { signal } = write;
    if (signal?.aborted) return write.failed(signal.reason);
    const aborted = () => entry.failed(signal?.reason);
    const settle = <T>(then: (value: T) => void) => (value: T) => {
      if (entry.over) return;
      entry.over = true;
      signal?.removeEventListener("abort", aborted);
      then(value);
    };
    const entry: Entry = { ...write, over: false, done: settle(write.done), failed: settle(write.failed) };
    signal?.addEventListener("abort", aborted, { once: true });
    this.#waiting.push(entry);
    this.#takeTurn();
  }

  #takeTurn(): void {
    if (this.#coming || this.#waiting.length === 0) return;
    this.#coming = true;
    void this.#round(this.target.acquire());
  }

  /** One group, from its place in the line to its end. */
  async #round(turn: Promise<() => void>): Promise<void> {
    turn.catch(() => {});
    // Whoever was woken by the same event comes along.
    await new Promise<void>((resolve) => setImmediate(resolve));
    let release: () => void;
    try {
      release = await turn;
    } catch (cause) {
      this.#coming = false;
      for (const write of this.#waiting.splice(0)) write.failed(cause);
      return;
    }
    this.#coming = false;
    const group = this.#waiting.splice(0, MOST_TOGETHER);
    this.#takeTurn();
    try {
      await this.#write(group);
    } finally {
      release();
    }
  }

  async #write(group: readonly Entry[]): Promise<void> {
    if (group.length > 1 && await this.#together(group)) return;
    for (const write of group) if (!write.over) await this.#alone(write);
  }

  async #alone({ work, durable, notify, signal, done, failed }: Entry): Promise<void> {
    const { target } = this;
    try {
      const result = await target.retry(() => {
        const db = target.begin(durable);
        try {
          const value = work(db);
          target.commit(db, notify);
          return value;
        } catch (cause) {
          target.rollback(db);
          throw cause;
        }
      }, signal);
      done(result);
    } catch (cause) {
      failed(cause);
    }
  }

  /** False: nothing is written, and each has to be tried alone, so that it is told what happened to it. */
  async #together(group: readonly Entry[]): Promise<boolean> {
    const { target } = this;
    try {
      await target.retry(() => {
        const wanted = group.filter(({ over }) => !over);
        const db = target.begin(wanted.some(({ durable }) => durable));
        try {
          const outcomes = wanted.map(({ work }) => inSavepoint(db, work));
          target.commit(db, wanted.some(({ notify }) => notify));
          settleAll(wanted, outcomes);
        } catch (cause) {
          target.rollback(db);
          throw cause;
        }
      });
      return true;
    } catch (cause) {
      // Another process kept the file for too long: for one alone it would be no different.
      if (!(cause instanceof UnavailableError)) return false;
      for (const write of group) write.failed(cause);
      return true;
    }
  }
}

function settleAll(group: readonly Entry[], outcomes: readonly Outcome[]): void {
  outcomes.forEach((outcome, index) => {
    if ("cause" in outcome) group[index]?.failed(outcome.cause);
    else group[index]?.done(outcome.result);
  });
}

/** Throws only when the whole transaction is lost, as after a full disk. */
function inSavepoint(db: DatabaseSync, work: (db: DatabaseSync) => unknown): Outcome {
  statement(db, "SAVEPOINT one_of_group").run();
  try {
    const result = work(db);
    statement(db, "RELEASE one_of_group").run();
    return { result };
  } catch (cause) {
    if (!inTransaction(db)) throw cause;
    statement(db, "ROLLBACK TO one_of_group").run();
    statement(db, "RELEASE one_of_group").run();
    return { cause };
  }
}
