/**
 * The payloads of `send`: one on the command line, one a line in a file or on stdin.
 *
 * @module
 */
import { resolve } from "node:path";
import { asError, systemReason } from "../errors.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import type { CliIo } from "./io.ts";
import { type Line, readLineBatches } from "./lines.ts";
import { UsageError } from "./usage_error.ts";

/** Where payloads come from, as asked for. */
export interface SendSource {
  readonly data?: string;
  readonly file?: string;
  /** True for `-`. */
  readonly stdin: boolean;
}

/** Lines, those together that arrived together, and how much of them has been read. */
export interface Payloads {
  readonly batches: AsyncIterable<readonly Line[]>;
  /** 0 to 1; undefined where the size is not known. */
  fraction(): number | undefined;
}

/** Opens the source. Throws `UsageError` unless exactly one is named and it can be read. */
export async function openPayloads(io: CliIo, source: SendSource): Promise<Payloads> {
  const named = [source.data !== undefined, source.file !== undefined, source.stdin].filter(Boolean).length;
  if (named !== 1) {
    throw new UsageError("Say where the data comes from: one of --data JSON, --file F.jsonl or -.");
  }
  if (source.data?.trim() === "") {
    throw new UsageError("--data is empty: give the payload as JSON, such as --data '{}'.");
  }
  if (source.data !== undefined) return { batches: single(source.data), fraction: () => undefined };
  if (source.file !== undefined) return await openFile(resolve(io.cwd(), source.file), source.file);
  return { batches: lines(io.stdin(), "stdin"), fraction: () => undefined };
}

/** Throws `UsageError` where the source stops being readable, as a folder does at once. */
async function* lines(source: ReadableStream<Uint8Array>, name: string): AsyncGenerator<readonly Line[]> {
  try {
    yield* readLineBatches(source, { maxBytes: MAX_MESSAGE_BYTES });
  } catch (cause) {
    throw new UsageError(`Cannot read ${name}: ${asError(cause).message}.`, { cause });
  }
}

async function* single(text: string): AsyncGenerator<readonly Line[]> {
  yield [{ number: 1, text }];
}

async function openFile(path: string, given: string): Promise<Payloads> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    throw new UsageError(`Cannot read the file '${given}': ${systemReason(cause)}.`);
  }
  const { size, isFile, isDirectory } = await file.stat();
  if (isDirectory) {
    file.close();
    throw new UsageError(`Cannot read the file '${given}': it is a folder.`);
  }
  let read = 0;
  const counted = file.readable.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        read += chunk.length;
        controller.enqueue(chunk);
      },
    }),
  );
  return {
    batches: lines(counted, `the file '${given}'`),
    fraction: () => (isFile && size > 0 ? Math.min(1, read / size) : undefined),
  };
}
