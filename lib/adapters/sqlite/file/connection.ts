/**
 * Opening one SQLite file: what is set on every connection, and one clear sentence for everything that can be
 * wrong with the file (HLT-3: no waiting mends it, so it is a `ConfigurationError`).
 *
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConfigurationError } from "../../../errors.ts";
import { prepare } from "./older_runtime.ts";
import { createPrivate } from "./private_file.ts";
import { fileTrouble, isBusy, isSpoilt } from "./sqlite_error.ts";

/** `FULL` survives a power cut, `NORMAL` the death of the process (delivery 14). */
export type Synchronous = "FULL" | "NORMAL";

/** The log shrinks back to this many bytes after a checkpoint that left it larger, and is told of beyond. */
export const LOG_LIMIT = 64 * 1024 * 1024;

/** The two connections of one file. `reader` refuses writes; statements on both are synchronous. */
export interface Connections {
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
}

/**
 * Opens both connections. Throws the driver's own busy error when another process is just opening or closing
 * the file (then try again), and `ConfigurationError` for everything else.
 */
export async function connect(path: string, synchronous: Synchronous): Promise<Connections> {
  await checkFolder(path);
  let writer: DatabaseSync | undefined;
  let reader: DatabaseSync | undefined;
  try {
    writer = openWithoutWaiting(path);
    const mode = prepare(writer, "PRAGMA journal_mode = WAL").get()?.journal_mode;
    if (mode !== "wal") {
      throw refusal(path, "is on a file system without shared memory, which SQLite's WAL mode needs");
    }
    prepare(writer, `PRAGMA synchronous = ${synchronous}`).run();
    prepare(writer, `PRAGMA journal_size_limit = ${LOG_LIMIT}`).get();
    prepare(writer, "BEGIN IMMEDIATE").run();
    prepare(writer, "ROLLBACK").run();
    reader = openWithoutWaiting(path);
    prepare(reader, "PRAGMA query_only = 1").run();
    prepare(reader, "PRAGMA schema_version").get();
    syncFolder(dirname(path));
    return { writer, reader };
  } catch (cause) {
    reader?.close();
    writer?.close();
    if (isBusy(cause) || cause instanceof ConfigurationError) throw cause;
    throw refusal(path, fileTrouble(cause) ?? `cannot be opened (${(cause as Error).message})`, cause);
  }
}

/**
 * Puts the names of the file and of its log on the disk: SQLite does that for what the same connection has
 * created, and the log may have been created by another process that has synced nothing yet. Where a folder
 * cannot be synced, as on Windows, the file system keeps names by itself.
 */
function syncFolder(folder: string): void {
  try {
    using file = Deno.openSync(folder);
    file.syncSync();
  } catch {
    // As above.
  }
}

/**
 * The driver takes its option `timeout: 0` for none given and waits 5 s, in which the event loop stands
 * still.
 */
export function openWithoutWaiting(path: string): DatabaseSync {
  createPrivate(path);
  const db = new DatabaseSync(path);
  try {
    prepare(db, "PRAGMA busy_timeout = 0").get();
    // What it sorts or journals beside the file stays in memory: a root that is read-only has no temporary
    // folder.
    prepare(db, "PRAGMA temp_store = MEMORY").run();
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}

async function checkFolder(path: string): Promise<void> {
  const folder = dirname(path);
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(folder);
  } catch (cause) {
    throw refusal(path, `cannot be opened because the folder ${folder} does not exist`, cause);
  }
  if (!info.isDirectory) throw refusal(path, `cannot be opened because ${folder} is not a folder`);
  const file = await Deno.stat(path).catch(() => undefined);
  if (file && !file.isFile) throw refusal(path, "cannot be opened because it is not a regular file");
}

function refusal(path: string, trouble: string, cause?: unknown): ConfigurationError {
  const advice = isSpoilt(cause)
    ? "restore it from a backup, or give its URI another path"
    : "give its URI a path in a folder this process may write to, on a disk with room";
  return new ConfigurationError(`The SQLite file ${path} ${trouble}: ${advice}.`, {
    code: "SQLITE_FILE",
    cause,
  });
}
