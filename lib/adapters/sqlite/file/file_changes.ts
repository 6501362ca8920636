/**
 * What the operating system tells of writes to a file, whoever makes them: inotify, and so Linux alone. A hint
 * that may come before what was written can be read, several times for one commit, or on some file systems
 * never.
 *
 * @module
 */

/** Whoever is told. */
export interface ChangeListener {
  /** Somebody has written. */
  readonly heard: () => void;
  /** Nothing will be heard any more; not called after the listening was ended. */
  readonly lost: () => void;
}

/** Begins to listen to one file. Returns the way to end it, idempotent; undefined where it cannot. */
export type ListenToChanges = (listener: ChangeListener) => (() => void) | undefined;

/**
 * Of the file at `path`. It cannot listen on another system, to a file that is not there, without the
 * permission to read it (nobody is asked for one), and with no inotify instance left.
 */
export function changesOf(path: string): ListenToChanges {
  return ({ heard, lost }) => {
    if (Deno.build.os !== "linux") return undefined;
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
    let watcher: Deno.FsWatcher;
    try {
      watcher = Deno.watchFs(path, { recursive: false });
    } catch {
      return undefined;
    }
    let ended = false;
    void (async () => {
      try {
        for await (const _ of watcher) if (!ended) heard();
      } catch {
        // As at its end.
      }
      if (!ended) lost();
    })();
    return () => {
      if (ended) return;
      ended = true;
      watcher.close();
    };
  };
}
