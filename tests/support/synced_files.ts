/**
 * What a power cut leaves of SQLite files: SQLite says when it waits for the disk (in WAL mode after a commit
 * under `synchronous = FULL`, which makes everything safe that was written to that log before), and this
 * listens to the driver for it. Nothing of the code under test is asked.
 *
 * @module
 */
import { basename, join } from "node:path";
import { DatabaseSync, StatementSync } from "node:sqlite";

/** A commit to one file: how long its log was then, and how much of that the disk had for certain. */
export interface Commit {
  readonly path: string;
  readonly written: number;
  readonly synced: number;
}

/** Of every file, how many bytes of its log are left. */
export type Left = "synced" | "written";

export class SyncedFiles {
  readonly commits: Commit[] = [];
  readonly #statements = new WeakMap<StatementSync, DatabaseSync>();
  readonly #levels = new WeakMap<DatabaseSync, string>();
  readonly #synced = new Map<string, number>();
  readonly #restore: () => void;

  /** Listens to every connection of this process that opens from now on, until it is disposed of. */
  constructor() {
    const databases = DatabaseSync.prototype;
    const statements = StatementSync.prototype;
    const { prepare } = databases;
    const { run, get } = statements;
    const heard = (statement: StatementSync) => this.#heard(statement);
    const remember = (statement: StatementSync, db: DatabaseSync) => this.#statements.set(statement, db);
    databases.prepare = function (sql) {
      const statement = prepare.call(this, sql);
      remember(statement, this);
      return statement;
    };
    for (const [name, original] of Object.entries({ run, get })) {
      Object.assign(statements, {
        [name](this: StatementSync, ...values: readonly unknown[]) {
          const result: unknown = Reflect.apply(original, this, values);
          heard(this);
          return result;
        },
      });
    }
    this.#restore = () => {
      databases.prepare = prepare;
      Object.assign(statements, { run, get });
    };
  }

  [Symbol.dispose](): void {
    this.#restore();
  }

  /**
   * Puts the files into `folder` as a power cut leaves them that comes when `count` commits are done, with as
   * much of each log as `left` says: a disk may have more than it was told to keep.
   */
  async cut(folder: string, count: number, left: (path: string) => Left): Promise<void> {
    const logs = new Map<string, number>();
    for (const commit of this.commits.slice(0, count)) logs.set(commit.path, commit[left(commit.path)]);
    for (const [path, length] of logs) {
      // Not by this process: to close a file would let go of the locks that SQLite has on it here.
      await new Deno.Command("cp", { args: [path, `${path}-wal`, folder] }).output();
      await Deno.truncate(join(folder, `${basename(path)}-wal`), length);
    }
  }

  #heard(statement: StatementSync): void {
    const db = this.#statements.get(statement);
    if (!db) return;
    const { sourceSQL } = statement;
    // A checkpoint would sync by chance what nobody has asked for.
    if (/^PRAGMA journal_mode = WAL/i.test(sourceSQL)) db.exec("PRAGMA wal_autocheckpoint = 0");
    const level = /^PRAGMA synchronous = (\w+)/i.exec(sourceSQL)?.[1];
    if (level) this.#levels.set(db, level);
    if (!/^COMMIT/i.test(sourceSQL)) return;
    const path = String(db.location());
    const written = Deno.statSync(`${path}-wal`).size;
    if ((this.#levels.get(db) ?? "FULL") === "FULL") this.#synced.set(path, written);
    this.commits.push({ path, written, synced: this.#synced.get(path) ?? 0 });
  }
}
