/**
 * Watches how long the log of a SQLite file gets. A snapshot that somebody keeps open, such as a backup or a
 * shell with a transaction, keeps SQLite from beginning the log anew, and it grows with every commit until
 * the disk is full (D25). It is told once, and again whenever it has doubled; when the snapshot ends, the log
 * is emptied without waiting for a commit.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../async/clock.ts";
import { inTransaction, prepare } from "./older_runtime.ts";

const log = getLogger(["protean", "sqlite"]);

/** So often the size is looked at while commits come in, in ms. */
const LOOK_MS = 1_000;
/** So long after an attempt to empty the log that failed comes the next, commits or not. */
const RETRY_MS = 5_000;

export interface LogSizeOptions {
  readonly path: string;
  /** The writing connection. */
  readonly db: DatabaseSync;
  readonly clock: Clock;
  /** Bytes beyond which the log is to be emptied. */
  readonly limit: number;
}

export class LogSize {
  readonly #options: LogSizeOptions;
  /** Monotonic. */
  #lookAgain = -Infinity;
  /** Bytes at which it is told the next time. */
  #tellAt: number;
  #cancel: (() => void) | undefined;

  constructor(options: LogSizeOptions) {
    this.#options = options;
    this.#tellAt = options.limit;
  }

  /** After a commit, outside of every transaction. */
  committed(): void {
    const now = this.#options.clock.monotonic();
    if (now < this.#lookAgain) return;
    this.#lookAgain = now + LOOK_MS;
    this.#look();
  }

  close(): void {
    this.#cancel?.();
  }

  #look(): void {
    this.#cancel?.();
    const { path, db, limit, clock } = this.#options;
    const bytes = sizeOf(`${path}-wal`);
    if (bytes <= limit || (!inTransaction(db) && emptied(db))) {
      if (this.#tellAt > limit) log.info("sqlite.log_emptied", { path, bytes });
      this.#tellAt = limit;
      return;
    }
    if (bytes > this.#tellAt) {
      log.warn("sqlite.log_grows", {
        path,
        bytes,
        reason: "another process keeps a snapshot of the file open: end its transaction",
      });
      this.#tellAt = bytes * 2;
    }
    this.#cancel = clock.after(RETRY_MS, () => this.#look());
  }
}

/**
 * Writes the whole log into the database and cuts it to nothing; false where a reader or writer is in the
 * way.
 */
function emptied(db: DatabaseSync): boolean {
  try {
    return prepare(db, "PRAGMA wal_checkpoint(TRUNCATE)").get()?.busy === 0;
  } catch {
    // What is wrong with the file is told by the next commit.
    return false;
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}
