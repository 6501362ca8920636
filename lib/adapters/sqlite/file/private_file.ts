/**
 * Files that only their owner reads, whatever the umask: payloads and dead letters are in them (SEC-4).
 * SQLite gives the files that it keeps beside a database the mode of the database.
 *
 * @module
 */

/**
 * Creates an empty file, mode 0600, where there is none. An existing one keeps its mode and is not even
 * opened: to close it would let go of the locks that this process has on it. Never throws: SQLite says what
 * is wrong.
 */
export function createPrivate(path: string): void {
  if (create(path, { createNew: true }) || exists(path)) return;
  // A link that leads to no file yet.
  create(path, { create: true });
}

function create(path: string, how: Deno.OpenOptions): boolean {
  try {
    Deno.openSync(path, { ...how, write: true, mode: 0o600 }).close();
    return true;
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}
