/**
 * Whose `domain.toml` is obeyed: it may name code that is then run, so nobody else's that lies there by
 * chance (SEC-3).
 *
 * @module
 */
import { dirname } from "node:path";

const GROUP_WRITES = 0o020;
/** Anybody may write. */
const OTHERS_WRITE = 0o002;
const ROOT = 0;

/**
 * Why a file that was found by searching is not to be obeyed; undefined: it is, or there is none. `start` is
 * the folder that the search began in. In a parent of it, neither the file nor its folder may be writable by
 * everybody or by a group, and the owner must be root, oneself or the owner of `start`. In `start` itself,
 * only somebody else's file in a folder that everybody may write to is refused.
 */
export async function distrust(path: string, start: string): Promise<string | undefined> {
  const folder = dirname(path);
  const file = await Deno.stat(path).catch(() => undefined);
  if (!file) return undefined;
  const [own, holding] = await Promise.all([Deno.stat(start), Deno.stat(folder)]);
  const trusted = [ROOT, own.uid, ownUid()];
  const isForeign = file.uid !== null && !trusted.includes(file.uid);
  const isShared = writableByOthers(holding);
  if (folder === start) {
    // Its owner may be the folder's own, which is all that a container knows of the files that it is given.
    return isShared && isForeign
      ? "somebody else put it into a folder that everybody may write to"
      : undefined;
  }
  if (isShared) return "everybody may write to its folder";
  if (writableByGroup(holding)) return "its folder's group may write to that folder";
  if (writableByOthers(file)) return "everybody may write to it";
  if (writableByGroup(file)) return "its group may write to it";
  return isForeign ? "it belongs to another user" : undefined;
}

/** Null on systems without such modes. */
function writableByOthers({ mode }: Deno.FileInfo): boolean {
  return mode !== null && (mode & OTHERS_WRITE) !== 0;
}

/** A user's own group, which has the user's number as a rule, is nobody else. */
function writableByGroup({ mode, uid, gid }: Deno.FileInfo): boolean {
  const isOwn = gid !== ROOT && gid === uid;
  return mode !== null && (mode & GROUP_WRITES) !== 0 && !isOwn;
}

/** The executable may not ask for it. */
function ownUid(): number | null {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() : null;
}
