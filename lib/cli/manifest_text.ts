/**
 * The text of `--manifest`.
 *
 * @module
 */
import { resolve } from "node:path";
import type { ManifestFile } from "../check/manifest/read.ts";
import { systemReason } from "../errors.ts";
import type { CliIo } from "./io.ts";
import { UsageError } from "./usage_error.ts";

/** More than any manifest that people write, and less than hurts. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Reads a file, or stdin for `-`. Throws `UsageError` for what cannot be read or is too large. */
export async function manifestText(
  io: CliIo,
  path: string,
): Promise<ManifestFile> {
  const name = path === "-" ? "stdin" : path;
  const stream = path === "-" ? io.stdin() : await opened(resolve(io.cwd(), path), path);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) {
      throw new UsageError(`The manifest '${name}' is larger than ${MOST_BYTES} bytes.`);
    }
    pieces.push(new Uint8Array(piece));
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await new Blob(pieces).arrayBuffer());
    return { text, name };
  } catch (cause) {
    throw new UsageError(`The manifest '${name}' is not text in UTF-8.`, { cause });
  }
}

async function opened(file: string, shown: string): Promise<ReadableStream<Uint8Array>> {
  try {
    const { isDirectory } = await Deno.stat(file);
    if (isDirectory) throw new UsageError(`The manifest '${shown}' is a folder: name a file in it.`);
    return (await Deno.open(file)).readable;
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`The manifest '${shown}' cannot be read: ${systemReason(cause)}.`, { cause });
  }
}
