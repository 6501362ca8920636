/**
 * Finds `domain.toml` and reads it (design 6, S24).
 *
 * @module
 */
import type { ErrorCode } from "../error_codes.ts";
import { dirname, join, relative, resolve } from "node:path";
import { type ConfigurationProblem, systemReason } from "../errors.ts";
import { configurationError } from "./problems.ts";
import { distrust } from "./trusted_file.ts";

/** Where to look. */
export interface Search {
  /** As given to `--config`. */
  readonly config?: string;
  /** Value of `DOMAIN_ROOT_PATH`. */
  readonly root?: string;
  readonly moduleFolder?: string;
  readonly executableFolder?: string;
  readonly cwd: string;
}

/** A file that was found. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  /** Undefined when there is none. */
  readonly file: FoundFile | undefined;
  /** Files that were passed over. */
  readonly warnings: readonly ConfigurationProblem[];
}

/** In order of preference; pyproject.toml is not read. */
const FILE_NAMES = [".domain.toml", "domain.toml"];

/** Folders above the first that are looked into. */
const PARENTS = 2;

/** SEC-3: far beyond any real configuration. */
const MAX_BYTES = 1024 * 1024;

/**
 * The first file of: `--config`; else, in the folder of `DOMAIN_ROOT_PATH`, of the domain module, or (for a
 * compiled-in domain) the current and the executable's folder, and then in two parents, `.domain.toml` before
 * `domain.toml`. A file in a parent that others may have put there is passed over, with a warning. Throws
 * `ConfigurationError` when a file that is named does not exist, and when one that exists cannot be read or
 * must not be obeyed: nothing starts on the wrong configuration.
 */
export async function findFile(search: Search): Promise<Finding> {
  if (search.config !== undefined) {
    const path = resolve(search.cwd, search.config);
    const text = await read(path, search.cwd);
    if (text !== undefined) return { file: { path, text }, warnings: [] };
    throw unreadable("CONFIG_NOT_FOUND", `Cannot find the configuration '${search.config}': no such file.`);
  }
  const warnings: ConfigurationProblem[] = [];
  for (const [folder, start] of foldersOf(await startFolders(search))) {
    for (const name of FILE_NAMES) {
      const path = join(folder, name);
      // Before it is read: a pipe that somebody has put there would never end.
      const reason = search.root === undefined ? await distrust(path, start) : undefined;
      if (reason === undefined) {
        const text = await read(path, search.cwd);
        if (text === undefined) continue;
        return { file: { path, text }, warnings };
      }
      const file = displayName(path, search.cwd);
      const message =
        `The configuration '${file}' is not obeyed because ${reason}: name it with --config, or move it.`;
      if (folder === start) throw unreadable("CONFIG_UNTRUSTED", message, undefined, file);
      warnings.push({ code: "CONFIG_UNTRUSTED", message, file });
    }
  }
  return { file: undefined, warnings };
}

async function startFolders(search: Search): Promise<string[]> {
  if (search.root) return [await folderOf(resolve(search.cwd, search.root), search.root)];
  if (search.moduleFolder !== undefined) return [resolve(search.cwd, search.moduleFolder)];
  const executable = search.executableFolder;
  return executable === undefined ? [search.cwd] : [search.cwd, resolve(search.cwd, executable)];
}

/** `DOMAIN_ROOT_PATH` may name a file of the domain; then its folder is meant. */
async function folderOf(path: string, given: string): Promise<string> {
  try {
    return (await Deno.stat(path)).isDirectory ? path : dirname(path);
  } catch (cause) {
    throw unreadable("CONFIG_NOT_FOUND", `Cannot find DOMAIN_ROOT_PATH '${given}': no such folder.`, cause);
  }
}

/** The start folders, then each one's parents; each with the folder that the search came from. */
function foldersOf(starts: readonly string[]): ReadonlyMap<string, string> {
  const folders = new Map(starts.map((start) => [start, start]));
  for (const start of starts) {
    let folder = start;
    for (let level = 0; level < PARENTS; level++) {
      folder = dirname(folder);
      if (!folders.has(folder)) folders.set(folder, start);
    }
  }
  return folders;
}

/** The text of a file; undefined when it does not exist. */
async function read(path: string, cwd: string): Promise<string | undefined> {
  const name = displayName(path, cwd);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readBounded(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return undefined;
    if (cause instanceof TypeError) {
      throw unreadable("CONFIG_MALFORMED", `Cannot read '${name}': it is not UTF-8 text.`, cause, name);
    }
    if (cause instanceof RangeError) {
      throw unreadable("CONFIG_UNREADABLE", `Cannot read '${name}': it is larger than 1 MiB.`, cause, name);
    }
    if (cause instanceof Deno.errors.IsADirectory) {
      throw unreadable("CONFIG_UNREADABLE", `Cannot read '${name}': it is a folder.`, cause, name);
    }
    throw unreadable("CONFIG_UNREADABLE", `Cannot read '${name}': ${systemReason(cause)}.`, cause, name);
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
  }
  throw new RangeError("too large");
}

/** As it is shown: relative to the current folder where it lies below that. */
export function displayName(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}

function unreadable(code: ErrorCode, message: string, cause?: unknown, file?: string): Error {
  return configurationError([{ code, message, ...(file === undefined ? {} : { file }) }], cause);
}
