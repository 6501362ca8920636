/**
 * A folder with files, written whole or not at all.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { systemReason } from "../../errors.ts";
import { UsageError } from "../usage_error.ts";
import type { Files } from "./scaffold.ts";

/** How many of the things in the way are named. */
const NAMED = 10;

/**
 * Writes the files to the absolute path `folder`, which is made, with those above it, unless it is there and
 * empty. They are written under another name first: whoever is killed meanwhile leaves that and no half domain.
 * Throws `UsageError` where something is in the way or nothing can be written.
 */
export async function writeFolder(folder: string, files: Files): Promise<void> {
  const entries = await entriesOf(folder);
  if (entries && entries.length > 0) throw inTheWay(folder, entries);
  let staging: string | undefined;
  try {
    if (!entries) await Deno.mkdir(dirname(folder), { recursive: true });
    // In an empty folder it is made inside: that one may be a mount, or where the user's shell is.
    const place = join(entries ? folder : dirname(folder), `.protean-new-${crypto.randomUUID()}`);
    await Deno.mkdir(place);
    staging = place;
    await writeAll(staging, files);
    if (entries) await moveUp(staging, folder);
    else await Deno.rename(staging, folder);
  } catch (cause) {
    if (staging !== undefined) await Deno.remove(staging, { recursive: true }).catch(() => {});
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`The folder '${folder}' cannot be written: ${systemReason(cause)}.`, { cause });
  }
}

/** Names in the folder; undefined where there is none. */
async function entriesOf(folder: string): Promise<string[] | undefined> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return await absent(folder);
    const reason = cause instanceof Deno.errors.NotADirectory ? "it is no folder" : systemReason(cause);
    throw new UsageError(`A new domain cannot be in '${folder}': ${reason}.`, { cause });
  }
}

/** Throws `UsageError` for a symbolic link to what is not there: no folder can be made in its place. */
async function absent(folder: string): Promise<undefined> {
  const link = await Deno.readLink(folder).catch(() => undefined);
  if (link === undefined) return undefined;
  throw new UsageError(
    `A new domain cannot be in '${folder}': it is a link to '${link}', which is not there.`,
  );
}

function inTheWay(folder: string, entries: readonly string[]): UsageError {
  const named = entries.slice(0, NAMED).map((name) => `'${name}'`).join(", ");
  const more = entries.length > NAMED ? ` and ${entries.length - NAMED} more` : "";
  return new UsageError(
    `The folder '${folder}' is not empty, and nothing is overwritten: ${named}${more} in it. Name another with --folder, or empty it.`,
  );
}

async function writeAll(folder: string, files: Files): Promise<void> {
  const folders = new Set(Object.keys(files).map((path) => dirname(join(folder, path))));
  for (const path of folders) await Deno.mkdir(path, { recursive: true });
  for (const [path, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, path), text);
}

/** Moves what is in `staging` to `folder` above it; all or nothing as long as this process lives. */
async function moveUp(staging: string, folder: string): Promise<void> {
  const moved: string[] = [];
  try {
    for await (const { name } of Deno.readDir(staging)) {
      await Deno.rename(join(staging, name), join(folder, name));
      moved.push(name);
    }
    await Deno.remove(staging);
  } catch (error) {
    for (const name of moved) await Deno.remove(join(folder, name), { recursive: true });
    throw error;
  }
}
